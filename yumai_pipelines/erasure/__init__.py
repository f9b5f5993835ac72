"""The removal of a person's data, from the tables and from the archived files."""
