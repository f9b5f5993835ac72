"""The extracts as Delta tables, for readers that leave the database alone."""
