"""Installs, upgrades and describes the schema, and compares it with what the migrations make."""
