"""torch's process group for a job's workers, with nothing of it open to the whole network.

```python
with process_group():
    model = DistributedDataParallel(model)
```

torch's own `env://` has the first worker's store listen on all interfaces, and anybody who reaches it
may write there. Here workers of one machine meet in a file that only their owner can open; workers
of several machines meet at a store that listens on the first one's own address alone. The exchange
itself (gloo) listens on the worker's own address. A lost peer raises in the next collective call:
let it end the process, so that the generation ends and the next one resumes from the checkpoint.
"""

from __future__ import annotations

import fcntl
import ipaddress
import os
import socket
import struct
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from jupyterhub_mesos.training.frames import generation_key
from jupyterhub_mesos.training.peers import SILENCE_SECONDS, split_address

MEETINGS: Final = "~/.cache/jupyterhub-mesos/meetings"
"""Below the owner's home, which all workers of one machine share and nobody else may enter."""
_NAME_LETTERS: Final = 32
_SIOCGIFADDR: Final = 0x8915
"""linux/sockios.h: the IPv4 address of an interface."""


@contextmanager
def process_group(
    backend: str | None = None, silence_seconds: float = SILENCE_SECONDS
) -> Generator[Any, None, None]:
    """Join the workers of this generation; yields `torch.distributed`. Outside a job: a group of one.

    `backend` is `nccl` where this worker has an accelerator, else `gloo`; `silence_seconds` is how long
    a peer may compute before it is taken for lost.
    """
    torch = import_module("torch")
    distributed = import_module("torch.distributed")
    meeting = Meeting.from_environment()
    if interface := meeting.interface():
        for variable in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
            os.environ.setdefault(variable, interface)
    distributed.init_process_group(
        backend or ("nccl" if torch.cuda.is_available() else "gloo"),
        store=meeting.store(distributed, silence_seconds),
        rank=meeting.index,
        world_size=len(meeting.addresses),
        timeout=timedelta(seconds=silence_seconds),
    )
    try:
        yield distributed
    finally:
        distributed.destroy_process_group()


class Meeting:
    """Where the workers of one generation find each other."""

    def __init__(self, index: int, addresses: tuple[str, ...], name: str) -> None:
        """`name` is `JOB-GENERATION`, both of which only the workers know."""
        self.index = index
        self.addresses = addresses
        self._name = name

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Meeting:
        """Read what the service tells a worker."""
        env = os.environ if environ is None else environ
        secret, job = env.get("JOB_SECRET", ""), env.get("JOB_NAME", "")
        generations = (0, int(env.get("JOB_GENERATION", "1")))
        names = (generation_key(secret, job, number).hex()[:_NAME_LETTERS] for number in generations)
        addresses = tuple(env.get("JOB_PEERS", "localhost:0").split(","))
        return cls(int(env.get("JOB_INDEX", "0")), addresses, "-".join(names))

    @property
    def is_on_one_machine(self) -> bool:
        """Say whether all workers have the same host."""
        return len({split_address(address)[0] for address in self.addresses}) == 1

    def store(self, distributed: Any, seconds: float) -> Any:
        """Open the store by which the workers exchange their addresses; waits for no one."""
        count = len(self.addresses)
        if count == 1:
            return distributed.HashStore()
        if self.is_on_one_machine:
            return distributed.FileStore(str(self._file()), count)
        host, port = split_address(self.addresses[0])
        # torch takes the socket over and closes it
        listener = _listener(host, port) if self.index == 0 else None
        return distributed.TCPStore(
            host,
            port,
            count,
            is_master=listener is not None,
            timeout=timedelta(seconds=seconds),
            wait_for_workers=False,
            master_listen_fd=listener,
            use_libuv=False,  # libuv's store takes no socket that listens already
        )

    def _file(self) -> Path:
        """Return the file of this generation; the first worker removes those of the job's earlier ones."""
        folder = Path(MEETINGS).expanduser()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
        if self.index == 0:
            for old in folder.glob(f"{self._name.partition('-')[0]}-*"):
                if old.name != self._name:
                    old.unlink(missing_ok=True)
        return folder / self._name

    def interface(self) -> str:
        """Name the network interface of this worker's own address; empty where none has it."""
        host, _ = split_address(self.addresses[self.index])
        address = socket.gethostbyname(host)
        if ipaddress.ip_address(address).is_loopback:
            return "lo"
        return next((name for _, name in socket.if_nameindex() if _address_of(name) == address), "")


def _listener(host: str, port: int) -> int:
    with socket.create_server((host, port)) as server:
        return server.detach()


def _address_of(interface: str) -> str:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            found = fcntl.ioctl(sock, _SIOCGIFADDR, struct.pack("256s", interface.encode()[:15]))
        except OSError:  # it has none
            return ""
    return socket.inet_ntoa(found[20:24])
