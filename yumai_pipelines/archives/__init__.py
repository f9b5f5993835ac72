"""Past months of `chatbot.conversations`: taken out, kept as Parquet files, and brought back."""
