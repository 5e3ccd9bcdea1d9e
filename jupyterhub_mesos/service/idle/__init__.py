"""Whether a notebook is in use: signals over time, ordered rules, and a verdict with its reason.

Pure: no clock, no I/O. Nothing in the service acts on a verdict yet.
"""
