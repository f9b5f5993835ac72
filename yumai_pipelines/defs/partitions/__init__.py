"""The months of the conversations in Dagster: an asset by month, and the checks of the table's partitions."""
