"""Where runs are started in production, as dagster.yaml says: containers of a Docker engine, or jobs of Kubernetes."""
