from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from jupyterhub_mesos.cli import main as command_line
from jupyterhub_mesos.errors import Conflict, InvalidInput, WorkloadError
from jupyterhub_mesos.export import push_bundle, verify
from jupyterhub_mesos.export.__main__ import main
from jupyterhub_mesos.export.bundle import read_manifest, write_manifest
from model_fixtures import Digits, export_digits, git, set_hook, tags
from requirements import require

QUIET: dict[str, Any] = {"report": lambda _: None}


@pytest.fixture(autouse=True, scope="module")
def installed() -> None:
    require("model-signing and pyOpenSSL are installed", find_spec("model_signing") and find_spec("OpenSSL"))


class Keys:
    """A pair of keys in files."""

    def __init__(self, folder: Path, password: str = "") -> None:
        folder.mkdir()
        self.private, self.public = folder / "key.pem", folder / "key.pub"
        key = ec.generate_private_key(ec.SECP256R1())
        encryption: KeySerializationEncryption = (
            BestAvailableEncryption(password.encode()) if password else NoEncryption()
        )
        self.private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
        self.public.write_bytes(
            key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        )


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys(tmp_path / "keys")


@pytest.fixture
def signed(digits: Digits, remote: Path, tmp_path: Path, keys: Keys) -> Path:
    return export_digits(digits, remote, tmp_path / "signed", sign_key=keys.private).directory


def test_a_signed_bundle_is_signed_in_git_and_holds_with_the_public_key(
    signed: Path, remote: Path, keys: Keys, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    git("clone", "--quiet", "--branch", "digits/v1", str(remote), str(tmp_path / "clone"))
    fetched = tmp_path / "clone" / "models" / "digits"

    assert read_manifest(fetched).is_signed
    assert command_line(["verify", str(fetched), "--public-key", str(keys.public)]) == 0
    assert main([str(fetched), "--public-key", str(keys.public)]) == 0
    assert f"ok  bundle.sig: signed by the key of {keys.public}" in capsys.readouterr().out


def test_sigstores_own_command_takes_the_signature_too(signed: Path, keys: Keys) -> None:
    program = Path(sys.executable).parent / "model_signing"
    done = subprocess.run(
        (program, "verify", "key", signed, "--signature", signed / "bundle.sig", "--public_key", keys.public),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr + done.stdout


def test_without_the_public_key_the_signature_is_said_to_be_unchecked(signed: Path) -> None:
    lines: list[str] = []

    verify(signed, report=lines.append)

    assert "--  bundle.sig: not checked, no public key was given" in lines


def test_another_key_is_refused(signed: Path, tmp_path: Path) -> None:
    other = Keys(tmp_path / "other")

    with pytest.raises(WorkloadError, match=r"bundle\.sig is not the signature of this bundle by the key in"):
        verify(signed, public_key=other.public, **QUIET)


def test_a_forged_bundle_whose_hashes_hold_is_refused_by_its_signature(
    signed: Path, keys: Keys, capsys: pytest.CaptureFixture[str]
) -> None:
    forged = read_manifest(signed)
    write_manifest(signed, forged.model_copy(update={"metrics": {"held_out_accuracy": 1.0}}))

    verify(signed, **QUIET)
    assert command_line(["verify", str(signed), "--public-key", str(keys.public)]) == 1
    assert "bundle.sig is not the signature of this bundle" in capsys.readouterr().err


def test_a_file_with_one_of_gits_names_is_signed_as_well(signed: Path, keys: Keys) -> None:
    (signed / ".gitattributes").write_text("* text\n")
    write_manifest(signed, read_manifest(signed))

    with pytest.raises(WorkloadError, match=r"\.gitattributes"):
        verify(signed, public_key=keys.public, **QUIET)


def test_a_signature_that_was_taken_off_is_missed(signed: Path) -> None:
    (signed / "bundle.sig").unlink()

    with pytest.raises(WorkloadError, match=r"bundle\.sig is missing"):
        verify(signed, **QUIET)


def test_a_signature_that_belongs_to_nothing_is_named(bundle: Path) -> None:
    (bundle / "bundle.sig").write_text("{}")

    with pytest.raises(WorkloadError, match=r"bundle\.sig is not in bundle\.json"):
        verify(bundle, **QUIET)


def test_a_damaged_signature_is_refused(signed: Path, keys: Keys) -> None:
    (signed / "bundle.sig").write_text('{"mediaType": "x"}')

    with pytest.raises(WorkloadError, match=r"bundle\.sig is not the signature"):
        verify(signed, public_key=keys.public, **QUIET)


def test_an_unsigned_bundle_does_not_hold_where_a_key_is_given(bundle: Path, keys: Keys) -> None:
    with pytest.raises(WorkloadError, match=r"is not signed: bundle\.sig is missing"):
        verify(bundle, public_key=keys.public, **QUIET)


def test_the_key_of_the_environment_signs(
    digits: Digits, remote: Path, tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAPACITY_SIGN_KEY", str(keys.private))

    result = export_digits(digits, remote, tmp_path / "b")

    assert result.manifest.is_signed
    verify(tmp_path / "b", public_key=keys.public, **QUIET)


def test_the_password_of_a_key_stands_in_the_environment(
    digits: Digits, remote: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    locked = Keys(tmp_path / "locked", password="hush")
    with pytest.raises(InvalidInput, match="CAPACITY_SIGN_KEY_PASSWORD") as caught:
        export_digits(digits, remote, tmp_path / "b", sign_key=locked.private)
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("CAPACITY_SIGN_KEY_PASSWORD", "hush")

    export_digits(digits, remote, tmp_path / "b", sign_key=locked.private)

    verify(tmp_path / "b", public_key=locked.public, **QUIET)


def test_a_signed_bundle_whose_version_was_taken_is_signed_anew(
    digits: Digits, remote: Path, tmp_path: Path, keys: Keys
) -> None:
    set_hook(remote, "exit 1\n")
    with pytest.raises(WorkloadError):
        export_digits(digits, remote, tmp_path / "late", sign_key=keys.private)
    (remote / "hooks" / "pre-receive").unlink()
    export_digits(digits, remote, tmp_path / "first")

    with pytest.raises(Conflict, match=r"signed as v1 and would become v2: .*sign_key"):
        push_bundle(tmp_path / "late", str(remote))
    assert push_bundle(tmp_path / "late", str(remote), sign_key=keys.private).tag == "digits/v2"

    assert verify(tmp_path / "late", public_key=keys.public, **QUIET).manifest.version == 2


def test_a_bundle_that_lost_its_signature_is_signed_before_it_is_pushed(
    digits: Digits, remote: Path, tmp_path: Path, keys: Keys
) -> None:
    set_hook(remote, "exit 1\n")
    with pytest.raises(WorkloadError):
        export_digits(digits, remote, tmp_path / "b", sign_key=keys.private)
    (remote / "hooks" / "pre-receive").unlink()
    (tmp_path / "b" / "bundle.sig").unlink()

    with pytest.raises(WorkloadError, match=r"bundle\.sig is missing"):
        push_bundle(tmp_path / "b", str(remote))
    push_bundle(tmp_path / "b", str(remote), sign_key=keys.private)

    verify(tmp_path / "b", public_key=keys.public, **QUIET)


def rsa_key(path: Path) -> Path:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


def test_a_key_that_cannot_sign_is_told_before_any_work(digits: Digits, remote: Path, tmp_path: Path) -> None:
    lines: list[str] = []

    for key in (tmp_path / "nowhere.pem", rsa_key(tmp_path / "rsa.pem")):
        with pytest.raises(InvalidInput, match="openssl ecparam"):
            export_digits(digits, remote, tmp_path / "b", sign_key=key, report=lines.append)

    assert (lines, tags(remote)) == ([], [])


def test_without_the_package_it_is_said_what_to_install(
    digits: Digits, remote: Path, tmp_path: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("jupyterhub_mesos.export.signature.find_spec", lambda _: None)

    with pytest.raises(WorkloadError, match=r"pip install 'jupyterhub-mesos\[sign\]'"):
        export_digits(digits, remote, tmp_path / "b", sign_key=keys.private)
