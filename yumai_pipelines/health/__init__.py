"""What `yumai doctor` looks at: one small examination for each thing that may be wrong with a database in production.

Nothing here changes anything, and nothing asks Dagster: `yumai_pipelines.defs.watch` does.
"""
