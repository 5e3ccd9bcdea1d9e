"""The pools of machines on which tasks run; they decide nothing."""
