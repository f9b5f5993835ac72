"""The archived months in Dagster: the job that archives them, what is shown of them, and the checks of their files."""
