"""The revisions, one for each file of `sql/migrations`."""
