"""The monthly tables for analysts: how they are built, recorded in the ledger, checked and read."""
