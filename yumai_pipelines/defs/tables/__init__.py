"""The tables that the chatbot writes, as Dagster shows them."""
