"""From a notebook to a distributed job, and what its generations run."""
