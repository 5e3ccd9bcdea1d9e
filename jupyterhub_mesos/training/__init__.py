"""Training: a notebook becomes a job, a job becomes generations of tasks, and workers find their peers.

Nothing is imported here, so that a worker's `from jupyterhub_mesos.training.peers import Peers`
loads what it names and no more.
"""
