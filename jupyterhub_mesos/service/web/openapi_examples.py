"""An example of each body that the API takes, for its document; a test asks for one of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel

from jupyterhub_mesos.wire import (
    CancelBatch,
    Confirmation,
    CordonOrder,
    HubLaunch,
    HubStart,
    QueueOrder,
    RenameOrder,
    RequestBatch,
    RequestSubmission,
    ReservationOrder,
    SessionExtension,
    StartWish,
    TeamModel,
    TeamsModel,
    TeamTokenOrder,
)
from jupyterhub_mesos.wire.levers import Order

_NOTEBOOK: Final[dict[str, Any]] = {"team": "vision", "payload": {"kind": "notebook", "profile": "small"}}
_JOB: Final[dict[str, Any]] = {
    "payload": {
        "kind": "training",
        "job": {
            "name": "digits",
            "roles": [{"replicas": 2, "argv": ["python", "train.py"], "resources": {"cpu_millis": 1000}}],
            "restart": {"max_restarts": 0},
        },
    }
}
_VISION: Final[dict[str, Any]] = {
    "guarantee": {"cpu_millis": 8000, "accelerators": {"h200": 2}},
    "limit": {"accelerators": {"h200": 4}},
    "groups": ["vision"],
}
EXAMPLES: Final[Mapping[type[BaseModel], dict[str, Any]]] = {
    RequestSubmission: _NOTEBOOK,
    RequestBatch: {"items": [_NOTEBOOK, _JOB]},
    Confirmation: {},
    StartWish: {
        "mode": "by-itself",
        "hours": {"begins": "08:00", "ends": "18:00", "time_zone": "Europe/Berlin"},
    },
    CancelBatch: {"ids": ["r0123456789ab"]},
    TeamModel: _VISION,
    TeamsModel: {"teams": {"vision": _VISION}},
    TeamTokenOrder: {"name": "gitlab", "expires_in_days": 90},
    QueueOrder: {"team": "vision", "reason": "the disks are exchanged"},
    Order: {"reason": "the disks are new"},
    CordonOrder: {"reason": "a fan is broken", "drains": True},
    SessionExtension: {"by_minutes": 60, "reason": "a demo"},
    ReservationOrder: {
        "team": "vision",
        "title": "A class",
        "resources": {"cpu_millis": 1000, "mem_mib": 1024},
        "replicas": 20,
        "starts_at": "2030-01-07T09:00+01:00",
        "ends_at": "2030-01-07T12:00+01:00",
        "reason": "every Monday",
    },
    RenameOrder: {"to": "mia.weber", "reason": "married"},
    HubStart: {"user": "mia", "groups": ["vision"], "server_name": "", "options": {"profile": "small"}},
    HubLaunch: {"argv": ["jupyterhub-singleuser"], "env": {"JUPYTERHUB_USER": "mia"}},
}
