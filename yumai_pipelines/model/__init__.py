"""Plain values that describe the database: its tables, its months, and how long DDL may wait. No I/O is done here."""
