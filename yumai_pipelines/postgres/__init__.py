"""How this project talks to PostgreSQL: connections, locks, transactions that give way, statements from files."""
