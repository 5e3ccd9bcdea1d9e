"""Jupyter notebooks as a service for many teams on shared CPU and GPU capacity."""
