"""The team's data lake: data sources become mounts and environment."""
