"""Months of `chatbot.conversations` that are past: taken out, kept as Parquet files, and brought back.

Nothing is imported here: `partitions` asks `archives.ledger` which months are away, and the rest is built on
`partitions`.
"""
