"""Sign a bundle, and check a signature, by model-signing and keys of one's own; all that touches it.

The signature is a Sigstore bundle over the sha256 of every other file, so that
`model_signing verify key` of anybody checks it as well. Nothing leaves the machine.
"""

from __future__ import annotations

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from jupyterhub_mesos.errors import InvalidInput, WorkloadError
from jupyterhub_mesos.export.bundle import SIGNATURE

KEY_VARIABLE: Final = "CAPACITY_SIGN_KEY"
PASSWORD_VARIABLE: Final = "CAPACITY_SIGN_KEY_PASSWORD"  # noqa: S105 - the variable's name

_MAKE: Final = "`openssl ecparam -name prime256v1 -genkey -noout -out key.pem`"


def find_key(named: str | os.PathLike[str] | None) -> Path | None:
    """Find the private key to sign with: the one named, else that of `CAPACITY_SIGN_KEY`, else none.

    It is read once, so that a wrong one is told before the work. Raises
    InvalidInput for a key that cannot sign, WorkloadError without model-signing.
    """
    text = os.fspath(named) if named is not None else os.environ.get(KEY_VARIABLE, "")
    if not text:
        return None
    _check_installed()
    path = Path(text).expanduser().absolute()
    if not path.is_file():
        raise InvalidInput(f"there is no key {path} to sign with: name another one, or make it with {_MAKE}")
    _signer(path)
    return path


def sign(directory: Path, key: Path) -> None:
    """Write the signature of all that is in the bundle; it appears whole or not at all."""
    _check_installed()
    new = directory.parent / f".{directory.name}-{os.getpid()}.sig"
    try:
        _signer(key).set_hashing_config(_hashing()).sign(directory, new)
        new.replace(directory / SIGNATURE)
    except (OSError, ValueError) as error:
        raise WorkloadError(f"the bundle in {directory} cannot be signed: {error}") from error
    finally:
        new.unlink(missing_ok=True)


def check_signature(directory: Path, public_key: Path) -> None:
    """Check the signature; raises WorkloadError where it does not hold, InvalidInput for a wrong key file."""
    _check_installed()
    if not public_key.is_file():
        raise InvalidInput(f"there is no public key {public_key}: name the file that its owner gave you")
    if not (directory / SIGNATURE).is_file():
        raise WorkloadError(f"the bundle in {directory} is not signed: {SIGNATURE} is missing")
    verifying: Any = import_module("model_signing.verifying")
    try:
        verifier = verifying.Config().use_elliptic_key_verifier(public_key=public_key)
    except Exception as error:  # cryptography's errors share no base class below Exception
        raise InvalidInput(f"{public_key} is no public key of an elliptic curve: {_said(error)}") from error
    try:
        verifier.set_hashing_config(_hashing()).verify(directory, directory / SIGNATURE)
    except Exception as error:  # as above
        raise WorkloadError(
            f"{SIGNATURE} is not the signature of this bundle by the key in {public_key}: {_said(error)}"
        ) from error


def _check_installed() -> None:
    if find_spec("model_signing") is None or find_spec("OpenSSL") is None:
        raise WorkloadError(
            "signatures need the packages model-signing and pyopenssl, which are not installed here: "
            "pip install 'jupyterhub-mesos[sign]'"
        )


def _signer(key: Path) -> Any:
    signing: Any = import_module("model_signing.signing")
    password = os.environ.get(PASSWORD_VARIABLE)
    try:
        return signing.Config().use_elliptic_key_signer(
            private_key=key, password=password.encode() if password else None
        )
    except Exception as error:  # as above
        raise InvalidInput(
            f"{key} cannot sign: {_said(error)}. A private key of an elliptic curve in PEM is needed, "
            f"made by {_MAKE}; the password of an encrypted one stands in {PASSWORD_VARIABLE}"
        ) from error


def _hashing() -> Any:
    """All files count, those with git's names included, but the signature itself."""
    hashing: Any = import_module("model_signing.hashing")
    return hashing.Config().set_ignored_paths(paths=[SIGNATURE], ignore_git_paths=False)


def _said(error: BaseException) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
