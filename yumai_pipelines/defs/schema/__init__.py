"""The schema in Dagster: an asset that installs or upgrades it, and the check that it is what the migrations make."""
