"""The decision core: pure, deterministic, the standard library alone."""
