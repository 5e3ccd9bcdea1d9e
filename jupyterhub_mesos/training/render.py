"""The cluster spec of one generation, in the words each framework reads from its environment.

A *member* is one replica of the job's role, at an endpoint that its peers can
reach. `VARIABLES` is the whole lowering, as data: a template per variable.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from jupyterhub_mesos.tasks import Endpoint

Framework = Literal["torch", "tensorflow", "jax", "generic"]

GENERIC: Final[Mapping[str, str]] = {
    "JOB_NAME": "{name}",
    "JOB_ROLE": "{role}",
    "JOB_INDEX": "{index}",
    "JOB_REPLICAS": "{replicas}",
    "JOB_PEERS": "{peers}",
    "JOB_GENERATION": "{generation}",
}
"""Every job gets these, whatever its framework."""

VARIABLES: Final[Mapping[Framework, Mapping[str, str]]] = {
    "generic": {},
    # A replica sees its own accelerators and no other's, so it is the first of one on "its" machine.
    "torch": {
        "RANK": "{index}",
        "WORLD_SIZE": "{replicas}",
        "LOCAL_RANK": "0",
        "LOCAL_WORLD_SIZE": "1",
        "MASTER_ADDR": "{first_host}",
        "MASTER_PORT": "{first_port}",
    },
    "tensorflow": {"TF_CONFIG": "{tf_config}"},
    # jax.distributed.initialize() reads the address by itself; pass the two numbers on as its arguments.
    "jax": {
        "JAX_COORDINATOR_ADDRESS": "{first_host}:{first_port}",
        "JAX_NUM_PROCESSES": "{replicas}",
        "JAX_PROCESS_ID": "{index}",
    },
}

TENSORFLOW_ROLES: Final = frozenset({"chief", "worker", "ps", "evaluator"})
"""The task types TF_CONFIG knows; any other role of ours is called `worker` there."""


@dataclass(frozen=True, slots=True)
class Member:
    """One replica's place in a generation."""

    name: str
    framework: Framework
    role: str
    index: int
    generation: int
    endpoints: Sequence[Endpoint]
    port: str = "peer"


def environment(member: Member) -> dict[str, str]:
    """Render the variables by which `member` finds its peers."""
    fields = _fields(member)
    templates = {**GENERIC, **VARIABLES[member.framework]}
    return {variable: template.format_map(fields) for variable, template in templates.items()}


def addresses(endpoints: Sequence[Endpoint], port: str) -> list[str]:
    """List `host:port` of every endpoint, in the order of the replicas.

    A role without that port (it talks to nobody) has the port 0.
    """
    return [f"{endpoint.host}:{endpoint.ports.get(port, 0)}" for endpoint in endpoints]


def _fields(member: Member) -> dict[str, str]:
    peers = addresses(member.endpoints, member.port)
    first_host, _, first_port = peers[0].rpartition(":")
    return {
        "name": member.name,
        "role": member.role,
        "index": str(member.index),
        "replicas": str(len(peers)),
        "peers": ",".join(peers),
        "generation": str(member.generation),
        "first_host": first_host,
        "first_port": first_port,
        "tf_config": _tf_config(member, peers),
    }


def _tf_config(member: Member, peers: Sequence[str]) -> str:
    """Spell TF_CONFIG, https://www.tensorflow.org/guide/distributed_training#TF_CONFIG."""
    role = member.role if member.role in TENSORFLOW_ROLES else "worker"
    return json.dumps({"cluster": {role: list(peers)}, "task": {"type": role, "index": member.index}})
