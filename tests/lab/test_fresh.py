"""What is generated is fresh: the types are made of today's messages, the bundle of today's sources."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

from jupyterhub_mesos.lab import LABEXTENSION
from jupyterhub_mesos.lab.schema import MODELS, fingerprint
from project.repository import ROOT, text

UI = ROOT / "ui" / "labextension"
BUNDLE = ROOT / "jupyterhub_mesos" / "lab" / "labextension"
SOURCES = ("package.json", "tsconfig.json", "schema", "src", "style")


def files(path: Path) -> list[Path]:
    return [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]


def sources_fingerprint() -> str:
    """Do as `ui/labextension/scripts/build.mjs` does."""
    names = {file.relative_to(UI).as_posix(): file for name in SOURCES for file in files(UI / name)}
    lines = [
        f"{name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n" for name, file in sorted(names.items())
    ]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def test_the_types_are_those_of_the_messages() -> None:
    types = text("ui/labextension/src/wire.ts")
    assert f"schema sha256 {fingerprint()}" in types, "run `npm run types` in ui/labextension"
    assert {model.__name__ for model in MODELS} <= set(re.findall(r"^export interface (\w+)", types, re.M))


def test_the_bundle_is_built_of_the_sources() -> None:
    built_of = (BUNDLE / "sources.sha256").read_text().strip()
    assert built_of == sources_fingerprint(), "run `npm run build` in ui/labextension"


def test_the_bundle_is_whole_and_has_the_name_that_the_package_says() -> None:
    package = json.loads((BUNDLE / "package.json").read_text())
    assert package["name"] == LABEXTENSION
    assert (BUNDLE / package["jupyterlab"]["_build"]["load"]).is_file()
    assert (BUNDLE / "schemas" / LABEXTENSION / "plugin.json").is_file()


def test_the_sources_use_no_any() -> None:
    for file in files(UI / "src"):
        assert not re.search(r"\bany\b\s*[;,)\]>=]|\bas any\b|: any\b", file.read_text()), file.name
        assert "@ts-ignore" not in file.read_text()
