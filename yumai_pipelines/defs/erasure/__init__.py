"""The job that removes a person's data."""
