"""The GPUs of this machine: which there are, what each is called, and what goes on on it."""

from jupyterhub_mesos.backends.gpus.inventory import NO_GPUS, Gpu, GpuProcess, Inventory, Standing
from jupyterhub_mesos.backends.gpus.looks import Gpus
from jupyterhub_mesos.backends.gpus.nodes import making

__all__ = ["NO_GPUS", "Gpu", "GpuProcess", "Gpus", "Inventory", "Standing", "making"]
