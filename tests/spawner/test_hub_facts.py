"""What we declare of the untyped hub is what the installed hub has."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.auth import Authenticator
from jupyterhub.handlers.base import BaseHandler
from jupyterhub.spawner import Spawner, SpawnException
from traitlets import HasTraits

from jupyterhub_mesos.service.identity import robot_name
from jupyterhub_mesos_spawner import hub
from jupyterhub_mesos_spawner.notifying import Notifying
from jupyterhub_mesos_spawner.service_spawner import ServiceSpawner

REAL = {"Spawner": Spawner, "SpawnException": SpawnException, "APIHandler": APIHandler}
SET_BY_THE_INSTANCE = {"user", "handler", "user_options", "_log_name"}


def declared() -> list[ast.ClassDef]:
    tree = ast.parse(Path(hub.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return [node for node in block.body if isinstance(node, ast.ClassDef)]


@pytest.mark.parametrize("shape", declared(), ids=lambda shape: shape.name)
def test_every_declared_name_is_the_installed_hubs(shape: ast.ClassDef) -> None:
    assert getattr(hub, shape.name) is REAL[shape.name]
    for member in shape.body:
        if isinstance(member, ast.FunctionDef):
            written = member.args
            starred = [one for one in (written.vararg, written.kwarg) if one is not None]
            ours = [a.arg for a in (*written.args, *written.kwonlyargs, *starred)]
            real = inspect.signature(getattr(REAL[shape.name], member.name))
            assert ours == list(real.parameters)
        elif isinstance(member, ast.AnnAssign) and isinstance(member.target, ast.Name):
            name = member.target.id
            assert name in SET_BY_THE_INSTANCE or hasattr(REAL[shape.name], name)


def test_the_hub_copies_an_exceptions_headers_into_both_kinds_of_answers() -> None:
    assert "'headers'" in inspect.getsource(BaseHandler.write_error)
    assert "'headers'" in inspect.getsource(APIHandler.write_error)


def test_the_hub_gives_nobody_the_name_of_a_team_s_robot() -> None:
    names = Authenticator()
    assert names.validate_username("vision")
    assert not names.validate_username(robot_name("vision"))


def test_no_private_name_of_ours_hides_one_of_the_hubs_spawner() -> None:
    for ours in (ServiceSpawner, Notifying):
        private = {name for name in vars(ours) if name.startswith("_") and not name.startswith("__")}
        assert not {name for name in private - set(vars(HasTraits)) if hasattr(Spawner, name)}
