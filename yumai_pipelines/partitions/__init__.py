"""The months' partitions of `chatbot.conversations`: made, filled and described while everybody reads and writes."""
