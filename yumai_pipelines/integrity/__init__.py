"""Checks whether rows refer to rows that exist, and repairs those that do not."""
