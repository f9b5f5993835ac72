"""The monthly tables for analysts: built, kept account of, proven and read."""
