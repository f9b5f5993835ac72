"""How this project talks to PostgreSQL: connections, locks, retried transactions, and statements from files."""
