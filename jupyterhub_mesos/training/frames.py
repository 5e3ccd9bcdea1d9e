"""How two workers speak over a socket: frames with a length, and a handshake that keeps strangers out.

Handshake: the listener sends a nonce; the caller answers its index, a nonce of
its own and an HMAC over both; the listener proves itself by an HMAC in return.
The key is the job's secret for this generation, so that a worker left over
from an earlier generation is a stranger too.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import secrets
import socket
import struct
from collections.abc import Sequence
from typing import Final

import numpy as np

from jupyterhub_mesos.training.arrays import Array, refuse_objects

MAX_FRAME_BYTES: Final = 2**31
"""Refused above this: a broken length must not allocate the machine's memory."""
_NONCE_BYTES: Final = 32
_MAC_BYTES: Final = 32
_LENGTH: Final = struct.Struct("!Q")
_HELLO: Final = struct.Struct(f"!I{_NONCE_BYTES}s{_MAC_BYTES}s")


class Stranger(ConnectionError):
    """The other side does not know the secret of this generation."""


def send_arrays(sock: socket.socket, arrays: Sequence[Array]) -> None:
    """Send arrays as one frame."""
    buffer = io.BytesIO()
    refuse_objects(arrays)
    np.savez(buffer, *arrays)
    content = buffer.getbuffer()
    sock.sendall(_LENGTH.pack(len(content)))
    sock.sendall(content)


def receive_arrays(sock: socket.socket) -> list[Array]:
    """Receive one frame's arrays; nothing pickled is ever loaded."""
    (length,) = _LENGTH.unpack(_exactly(sock, _LENGTH.size))
    if length > MAX_FRAME_BYTES:
        raise ConnectionError(f"a frame of {length} bytes was announced; at most {MAX_FRAME_BYTES} are taken")
    with np.load(io.BytesIO(_exactly(sock, length)), allow_pickle=False) as data:
        return [data[f"arr_{number}"] for number in range(len(data.files))]


def answer(sock: socket.socket, key: bytes) -> int:
    """Take a caller's handshake as the listener; return its index."""
    challenge = secrets.token_bytes(_NONCE_BYTES)
    sock.sendall(challenge)
    index, nonce, proof = _HELLO.unpack(_exactly(sock, _HELLO.size))
    if not hmac.compare_digest(proof, _mac(key, b"caller", index, challenge + nonce)):
        raise Stranger("a caller does not know this generation's secret")
    sock.sendall(_mac(key, b"listener", index, challenge + nonce))
    return int(index)


def introduce(sock: socket.socket, key: bytes, index: int) -> None:
    """Make the handshake as the caller with this index."""
    challenge = _exactly(sock, _NONCE_BYTES)
    nonce = secrets.token_bytes(_NONCE_BYTES)
    sock.sendall(_HELLO.pack(index, nonce, _mac(key, b"caller", index, challenge + nonce)))
    if not hmac.compare_digest(_exactly(sock, _MAC_BYTES), _mac(key, b"listener", index, challenge + nonce)):
        raise Stranger("the first worker does not know this generation's secret")


def generation_key(secret: str, name: str, generation: int) -> bytes:
    """Derive the key of one generation of a job."""
    return hmac.digest(secret.encode(), f"{name}\0{generation}".encode(), hashlib.sha256)


def _mac(key: bytes, side: bytes, index: int, nonces: bytes) -> bytes:
    return hmac.digest(key, side + struct.pack("!I", index) + nonces, hashlib.sha256)


def _exactly(sock: socket.socket, count: int) -> bytes:
    parts: list[bytes] = []
    missing = count
    while missing:
        part = sock.recv(min(missing, 1 << 20))
        if not part:
            raise ConnectionResetError("the connection ended in the middle of a message")
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)
