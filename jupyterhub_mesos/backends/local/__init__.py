"""Tasks as local processes that outlive the service."""
