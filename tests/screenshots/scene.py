"""What the pictures show: the demo's four cores, and a lab of eight teams with a month behind it."""

from __future__ import annotations

import random
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from installation import Installation
from jupyterhub_mesos.configuration.databases import Database
from jupyterhub_mesos.service import schema
from jupyterhub_mesos.service.store import Store, store_url
from jupyterhub_mesos.wire import (
    Job,
    RequestSubmission,
    ReservationOrder,
    ResourcesModel,
    Restart,
    Role,
    StartWish,
    TeamModel,
    TeamsModel,
    TrainingPayload,
)

DAYS: Final = 30
SEED: Final = 20
DAY_SECONDS: Final = 86400
PROGRAM: Final = "import signal; print('epoch 1: loss 0.412', flush=True); signal.pause()"


def _team(title: str, parent: str | None, cpu: int, gib: int, **more: Any) -> TeamModel:
    return TeamModel.model_validate(
        {
            "title": title,
            "parent": parent,
            "guarantee": {"cpu_millis": cpu * 1000, "mem_mib": gib * 1024},
            **more,
        }
    )


TEAMS: Final = TeamsModel(
    teams={
        "lab": _team("The lab", None, 48, 192),
        "perception": _team("Perception", "lab", 28, 112, admin_groups=("perception-admins",)),
        "vision": _team(
            "Computer vision",
            "perception",
            14,
            56,
            limit={"cpu_millis": 40000},
            groups=("vision",),
            admin_groups=("vision-admins",),
            budget={"window_days": 7, "team_hours": 500, "user_hours": 100},
        ),
        "speech": _team("Speech", "perception", 8, 32, groups=("speech",), admin_groups=("speech-admins",)),
        "robots": _team("Robotics", "perception", 6, 16, groups=("robots",)),
        "earth": _team("Earth system", "lab", 14, 60),
        "climate": _team("Climate", "earth", 9, 40, groups=("climate",), weight=2),
        "ocean": _team("Ocean", "earth", 5, 20, groups=("ocean",)),
        "teaching": _team("Teaching", "lab", 6, 16, groups=("students",), per_user={"sessions": 1}),
    }
)
USERS: Final = {
    "vision": ("ann", "dan", "mia"),
    "speech": ("ben", "eva", "sam"),
    "robots": ("lin", "omar"),
    "climate": ("ines", "paul", "yuki"),
    "ocean": ("noor",),
    "teaching": ("kim", "lea", "tom"),
}


def set_demo(cloud: Installation) -> dict[str, str]:
    """Leave one CPU of four; single pages show nothing of it."""
    cloud.start_notebook("ann", "medium")
    cloud.start_notebook("ben", "large")
    return {}


def set_lab(cloud: Installation) -> dict[str, str]:
    """Fill a lab of eight teams; return the ids of what single pages show."""
    admin = cloud.client("admin")
    admin.put_teams(TEAMS)
    running = [(who, size) for who, size in (("ann", "large"), ("ben", "large"), ("eva", "medium"))]
    for who, size in running:
        cloud.start_notebook(who, size)
    jobs = [cloud.client("dan").submit(job("resnet-50-sweep", 4, 7000)).id]
    jobs.append(cloud.client("sam").submit(job("wav2vec-base", 2, 12000)).id)
    for name, id_ in zip(("dan", "sam"), jobs, strict=True):
        cloud.until_running(name, id_)
    cloud.client("dan").submit(job("segmentation-large", 2, 7000))
    cloud.client("ann").submit(job("ablation-3", 1, 9000))
    cloud.client("ben").submit(job("diarisation", 1, 8000))
    held = job("nightly-retrain", 1, 2000).model_copy(update={"start": StartWish(mode="when-confirmed")})
    held_id = cloud.client("ann").submit(held).id
    book(cloud)
    return {"held": held_id}


def book(cloud: Installation) -> None:
    """Book a class and a deadline."""
    morning = (datetime.now(UTC) + timedelta(days=2)).replace(hour=8, minute=0, second=0, microsecond=0)
    rows = (("teaching", "Deep learning, exercise 4", 12, 0, 3), ("vision", "CVPR deadline", 4, 24, 48))
    for team, title, replicas, begin, hours in rows:
        starts = morning + timedelta(hours=begin)
        cloud.client("admin").book(
            ReservationOrder(
                team=team,
                title=title,
                replicas=replicas,
                resources=ResourcesModel(cpu_millis=1000, mem_mib=2048),
                starts_at=starts,
                ends_at=starts + timedelta(hours=hours),
                reason="asked for by the team",
            )
        )


def job(name: str, replicas: int, cpu_millis: int) -> RequestSubmission:
    """A job that says one line and runs until it is ended."""
    resources = ResourcesModel(cpu_millis=cpu_millis, mem_mib=1024)
    role = Role(replicas=replicas, argv=("python", "-c", PROGRAM), resources=resources)
    return RequestSubmission(
        payload=TrainingPayload(job=Job(name=name, roles=(role,), restart=Restart(max_restarts=0)))
    )


def remember_a_month(cloud: Installation) -> None:
    """Write a month of ended requests into the ledger, before the service has it."""
    chance = random.Random(SEED)
    store = Store(store_url(cloud.folder.ledger))
    store.open()  # makes the tables
    store.close()
    engine = Database.at(store_url(cloud.folder.ledger), where="the scene").engine(sa.pool.NullPool)
    rows = [past(chance, number) for number in range(900)]
    with closing(engine.connect()) as connection, connection.begin():
        connection.execute(sa.insert(schema.requests), [row[0] for row in rows])
        connection.execute(sa.insert(schema.allocations), [row[1] for row in rows])
    engine.dispose()


def past(chance: random.Random, number: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Make up a request and its allocation."""
    team = chance.choices(list(USERS), weights=(9, 6, 3, 7, 2, 2))[0]
    kind = chance.choice(("notebook", "training"))
    day = chance.choices(range(DAYS), weights=[1 if day % 7 in {1, 2} else 4 for day in range(DAYS)])[0]
    asked = time.time() - (day + 1) * DAY_SECONDS + chance.gauss(14, 3) * 3600 % DAY_SECONDS * 0.9
    wait = chance.expovariate(1 / 240) if chance.random() < 0.4 else 1.0
    held = min(chance.lognormvariate(8.8, 0.9), 2 * DAY_SECONDS, max(60.0, time.time() - asked - wait - 60))
    flavors = {"h200": chance.choice((1, 1, 2, 4))} if kind == "training" or chance.random() < 0.3 else {}
    size = {"cpu_millis": chance.choice((2000, 4000, 8000)), "mem_mib": 8192, "accelerators": flavors}
    request_id = f"past{number:05d}"
    name = f"run-{number}" if kind == "training" else ""
    payload = (
        {"kind": kind, "profile": "medium"}
        if kind == "notebook"
        else job(name, 1, 2000).payload.model_dump(mode="json")
    )
    request = {
        "id": request_id,
        "seq": number + 1,
        "team": team,
        "user": chance.choice(USERS[team]),
        "kind": kind,
        "resources": size,
        "replicas": 1,
        "priority": 0,
        "submitted_at": asked,
        "rank": 0,
        "status": "ended",
        "is_live": False,
        "is_ending": False,
        "allocations": 1,
        "name": name,
        "payload": payload,
        "hub": "",
        "outcome": "finished",
        "message": "",
        "ended_at": asked + wait + held,
    }
    placed = [{"replica": 0, "node": "node", "resources": size, "devices": []}]
    nothing = {"cpu_millis": 0, "mem_mib": 0, "accelerators": {}}
    granted = asked + wait
    allocation = {
        "id": f"{request_id}-1",
        "request_id": request_id,
        "team": team,
        "state": "gone",
        "placements": placed,
        "borrowed": nothing,
        "granted_at": granted,
        "gone_at": granted + held,
    }
    return request, allocation
