"""The schema in Dagster: an asset that installs or upgrades it, and the check that nothing differs."""
