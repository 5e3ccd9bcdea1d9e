"""Benchmarks: each measures something beside a baseline in the same run. `make bench` runs them all."""
