"""A model server for bundles (Open Inference Protocol v2), and the plan of the task that runs it."""

from jupyterhub_mesos.serving.plan import PORTS, READY_PATH, task

__all__ = ["PORTS", "READY_PATH", "task"]
