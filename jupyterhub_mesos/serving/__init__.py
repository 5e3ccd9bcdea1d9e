"""A model server for bundles (Open Inference Protocol v2)."""
