"""The materialized views: how one is refreshed."""
