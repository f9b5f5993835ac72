"""Whether rows refer to what is there, and the repair of those that do not."""
