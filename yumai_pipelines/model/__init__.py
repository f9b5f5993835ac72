"""What the database is, in values alone: its tables, its months, how long DDL may wait. No I/O, and no connection."""
