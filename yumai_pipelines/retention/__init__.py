"""The deletion of sessions that are past their age."""
