"""Makes, fills, describes and detaches the monthly partitions of `chatbot.conversations` while the table is in use."""
