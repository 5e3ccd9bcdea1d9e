"""What the service measures of itself, for Prometheus: its own registry, definitions as data."""
