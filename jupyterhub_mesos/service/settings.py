"""What an operator configures, read once at start-up and passed on as plain values.

The capacity service reads the same file as the hub (`--config=jupyterhub_config.py`):
its keys stand under `c.CapacityService`. `CapacityService.settings()` is the
frozen value that the rest of the service gets.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from traitlets import Bool, Integer, TraitType, Unicode, default
from traitlets.config import Application

from jupyterhub_mesos.configuration.databases import Database, sqlite_url
from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.backend_traits import LocalBackendTraits
from jupyterhub_mesos.service.holding.standing import CONFIRM_MINUTES
from jupyterhub_mesos.service.notices.model import NoticeKind
from jupyterhub_mesos.service.notices.traits import NoticeSettings, NoticeTraits
from jupyterhub_mesos.service.policy_traits import STOP_GRACE_SECONDS, PolicyTraits, product_policy
from jupyterhub_mesos.service.watching_traits import Watching, WatchingTraits
from jupyterhub_mesos.statefolder import STATE_VARIABLE, StateFolder
from jupyterhub_mesos_quota.policy import Policy

ADMIN_SCOPE: Final = "custom:jupyterhub-mesos:admin"
"""Who holds it in the hub administers every team."""
DEFAULT_PORT: Final = 8090
DEFAULT_BODY_BYTES: Final = 12 * 1024 * 1024
"""A job's source (8 MiB of text at most) with JSON's escapes."""

DEFAULT_LIVE_REQUESTS: Final = 100
"""More than a person can look after; a sweep of jobs still fits."""
DEFAULT_WRITES: Final = 120
"""Two a second, and the whole sweep at once."""


@dataclass(frozen=True, slots=True)
class HubSettings:
    """How the hub is reached, and how it knows us."""

    api_url: str
    api_token: str = field(repr=False)
    base_url: str = "/"
    name: str = "capacity"
    client_id: str = "service-capacity"
    public_host: str = ""


@dataclass(frozen=True, slots=True)
class CapacitySettings:
    """Everything the service was told, read once."""

    state_dir: Path
    ip: str
    port: int
    prefix: str
    hub: HubSettings
    hub_key: str = field(repr=False)
    cookie_secret: str = field(repr=False)
    admin_scope: str = ADMIN_SCOPE
    tasks_api_url: str = ""
    teams_file: Path | None = None
    profiles_file: Path | None = None
    lake_file: Path | None = None
    backend: str = "local"
    backend_options: Mapping[str, object] = field(default_factory=dict[str, object])
    identity_seconds: int = 30
    max_body_bytes: int = DEFAULT_BODY_BYTES
    output_days: int = 7
    max_live_requests_per_user: int = DEFAULT_LIVE_REQUESTS
    writes_per_minute: int = DEFAULT_WRITES
    confirm_minutes: int = CONFIRM_MINUTES
    policy: Policy = field(default_factory=product_policy)
    stop_grace_seconds: float = STOP_GRACE_SECONDS
    watching: Watching = field(default_factory=Watching)
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    ledger_url: str = field(default="", repr=False)
    waits: bool = True

    @property
    def ledger_file(self) -> Path:
        """Where the ledger stands, unless `ledger_url` says otherwise."""
        return self.state_dir / "ledger.sqlite"

    @property
    def database(self) -> Database:
        """Where the ledger stands."""
        return Database.at(
            self.ledger_url or sqlite_url(self.ledger_file), where="CapacityService.ledger_url"
        )


class CapacityService(LocalBackendTraits, PolicyTraits, WatchingTraits, NoticeTraits, Application):
    """The capacity service: quota, queue and workloads of a JupyterHub."""

    name: str | Unicode[str, str | bytes] = "jupyterhub-mesos-service"
    description: str | Unicode[str, str | bytes] = __doc__ or ""
    aliases: Any = {  # noqa: RUF012 - traitlets declares it so
        "config": "CapacityService.config_file",
        "port": "CapacityService.port",
        "log-level": "Application.log_level",
    }
    flags: Any = {  # noqa: RUF012 - as above
        "no-wait": (
            {"CapacityService": {"waits": False}},
            "End at once where another service has the ledger, instead of waiting as its standby.",
        ),
    }

    config_file = Unicode(
        "",
        help="Path of the hub's configuration file; its `c.CapacityService` keys are read. Default: none.",
    ).tag(config=True)
    state_dir = Unicode(
        help="Folder of the ledger, secrets, logs, homes and lake, made where it is missing. "
        "Default: $JUPYTERHUB_MESOS_STATE or `state` under the working folder.",
    ).tag(config=True)
    ledger_url = Unicode(
        "",
        help="Database of the ledger: postgresql://ROLE@HOST/DATABASE?sslmode=verify-full, with a password "
        "from PGPASSFILE or as ${VARIABLE} of the environment, or sqlite:////PATH. "
        "Default: ledger.sqlite in the state folder.",
    ).tag(config=True)
    waits = Bool(
        True,
        help="Whether to wait as a standby of who has the ledger; --no-wait ends, naming it. Default: True.",
    ).tag(config=True)
    ip = Unicode(
        "127.0.0.1",
        help="Address to listen on. Default: loopback, so that only the hub's proxy and spawners reach it.",
    ).tag(config=True)
    port = Integer(
        DEFAULT_PORT,
        min=0,
        max=65535,
        help="TCP port to listen on; 0 picks a free one (tests). Default: 8090.",
    ).tag(config=True)
    service_prefix = Unicode(
        help="URL prefix under which the hub's proxy shows the service. "
        "Default: $JUPYTERHUB_SERVICE_PREFIX or /services/capacity/.",
    ).tag(config=True)
    tasks_api_url = Unicode(
        "",
        help="URL at which the tasks of pipelines reach this service, its prefix included. Default: where "
        "it listens itself; where tasks run on other machines, the one on the hub's public address "
        "(https://HUB/services/capacity/).",
    ).tag(config=True)
    service_name = Unicode(
        "capacity",
        help="The service's name in `c.JupyterHub.services`; users need access:services!service=NAME. "
        "Default: capacity.",
    ).tag(config=True)
    oauth_client_id = Unicode(
        help="The service's OAuth client id in the hub. Default: $JUPYTERHUB_CLIENT_ID or service-NAME.",
    ).tag(config=True)
    hub_api_url = Unicode(
        help="URL of the hub's REST API. Default: $JUPYTERHUB_API_URL or http://127.0.0.1:8081/hub/api.",
    ).tag(config=True)
    hub_base_url = Unicode(
        help="The hub's `JupyterHub.base_url`, for links to it. Default: $JUPYTERHUB_BASE_URL or /.",
    ).tag(config=True)
    hub_public_host = Unicode(
        help="The hub's public host, only where it uses subdomains. Default: $JUPYTERHUB_HOST or empty.",
    ).tag(config=True)
    api_token = Unicode(
        help="The service's token in the hub. "
        "Default: $JUPYTERHUB_API_TOKEN, else what `api_token_file` holds.",
    ).tag(config=True)
    api_token_file = Unicode(
        help="File with the service's token in the hub. "
        "Default: STATE/secrets/service_token, made where it is missing.",
    ).tag(config=True)
    hub_key_file = Unicode(
        help="File with the secret that the hub's spawners show. "
        "Default: STATE/secrets/hub_key, made where it is missing.",
    ).tag(config=True)
    cookie_secret_file = Unicode(
        help="File with the secret that signs this service's cookies. "
        "Default: STATE/secrets/service_cookie_secret, made where it is missing.",
    ).tag(config=True)
    teams_file = Unicode(
        "",
        help="teams.yaml that seeds the ledger on its first start; later edits go through PUT /teams or "
        "`jupyterhub-mesos quota apply`. Default: none, so that there are no teams yet.",
    ).tag(config=True)
    profiles_file = Unicode(
        "",
        help="profiles.yaml: what a notebook may be started with. Default: none, then nobody can start one.",
    ).tag(config=True)
    lake_file = Unicode(
        "",
        help="lake.yaml: S3 sources that teams have beside the lake's folders. Default: none.",
    ).tag(config=True)
    backend = Unicode(
        "local", help="Where workloads run: `local` (processes on this machine). Default: local."
    ).tag(config=True)
    admin_scope = Unicode(
        ADMIN_SCOPE,
        help="The hub scope whose holders administer every team. Default: custom:jupyterhub-mesos:admin.",
    ).tag(config=True)
    identity_seconds = Integer(
        30,
        min=1,
        help="Seconds for which the hub's answer about a token is believed, so how long a removed user or "
        "group lasts here. Default: 30.",
    ).tag(config=True)
    max_body_bytes = Integer(
        DEFAULT_BODY_BYTES,
        min=1024,
        help="Bytes of the largest request body that is read; more is answered 413. Default: 12 MiB.",
    ).tag(config=True)
    output_days = Integer(
        7,
        min=0,
        help="Days for which the output of a notebook, job or model server that is over can still be read; "
        "then its files are removed. The ledger keeps what happened. Default: 7.",
    ).tag(config=True)
    max_live_requests_per_user = Integer(
        DEFAULT_LIVE_REQUESTS,
        min=0,
        help="Requests that one user may have waiting or running at once; one more is answered 429. The "
        "hub's own starts are not counted against it. 0 is no limit. Default: 100.",
    ).tag(config=True)
    confirm_minutes = Integer(
        CONFIRM_MINUTES,
        min=1,
        max=24 * 60,
        help="Minutes for which a start that its owner confirmed waits for room; then it is held again and "
        "its owner is asked anew. Default: 30.",
    ).tag(config=True)
    writes_per_minute = Integer(
        DEFAULT_WRITES,
        min=0,
        help="Changes (submit, end, edit) that one user may ask for in a minute, and as many at once; one "
        "more is answered 429 with Retry-After. The hub and services are exempt. 0 is no limit. "
        "Default: 120.",
    ).tag(config=True)

    @default("state_dir")
    def _default_state_dir(self) -> str:
        return os.environ.get(STATE_VARIABLE, "state")

    @default("service_prefix")
    def _default_service_prefix(self) -> str:
        return os.environ.get("JUPYTERHUB_SERVICE_PREFIX", "/services/capacity/")

    @default("oauth_client_id")
    def _default_oauth_client_id(self) -> str:
        return os.environ.get("JUPYTERHUB_CLIENT_ID", f"service-{self.service_name}")

    @default("hub_api_url")
    def _default_hub_api_url(self) -> str:
        return os.environ.get("JUPYTERHUB_API_URL", "http://127.0.0.1:8081/hub/api")

    @default("hub_base_url")
    def _default_hub_base_url(self) -> str:
        return os.environ.get("JUPYTERHUB_BASE_URL", "/")

    @default("hub_public_host")
    def _default_hub_public_host(self) -> str:
        return os.environ.get("JUPYTERHUB_HOST", "")

    @default("api_token")
    def _default_api_token(self) -> str:
        return os.environ.get("JUPYTERHUB_API_TOKEN", "")

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read the command line and the configuration file; the command line wins."""
        self.parse_command_line(argv)
        if self.config_file:
            path = Path(self.config_file)
            if not path.is_file():
                self.exit_with(f"There is no configuration file {path}: name one with --config=FILE.")
            self.raise_config_file_errors = True  # the defaults in its place would be another installation
            command_line = self.cli_config
            self.load_config_file(path.name, path=str(path.resolve().parent))
            self.update_config(command_line)

    def exit_with(self, message: str) -> None:
        """End the program with a sentence for the operator."""
        raise SystemExit(message)

    def settings(self) -> CapacitySettings:
        """Return what was configured as one value, making secrets that are missing."""
        state = StateFolder.at(self.state_dir)
        state.prepare()
        hub = HubSettings(
            api_url=self.hub_api_url.rstrip("/"),
            api_token=self.api_token or self._secret("api_token_file", "service_token"),
            base_url=_with_slashes(self.hub_base_url),
            name=self.service_name,
            client_id=self.oauth_client_id,
            public_host=self.hub_public_host,
        )
        settings = CapacitySettings(
            state_dir=state.root,
            ledger_url=self.ledger_url,
            waits=self.waits,
            ip=self.ip,
            port=self.port,
            prefix=_with_slashes(self.service_prefix),
            hub=hub,
            hub_key=self._secret("hub_key_file", "hub_key"),
            cookie_secret=self._secret("cookie_secret_file", "service_cookie_secret"),
            tasks_api_url=_address(self.tasks_api_url, "tasks_api_url"),
            admin_scope=self.admin_scope,
            teams_file=Path(self.teams_file) if self.teams_file else None,
            profiles_file=Path(self.profiles_file) if self.profiles_file else None,
            lake_file=Path(self.lake_file) if self.lake_file else None,
            backend=self.backend,
            backend_options=self.local_options(state.root),
            identity_seconds=self.identity_seconds,
            max_body_bytes=self.max_body_bytes,
            output_days=self.output_days,
            max_live_requests_per_user=self.max_live_requests_per_user,
            writes_per_minute=self.writes_per_minute,
            confirm_minutes=self.confirm_minutes,
            policy=self.policy(),
            stop_grace_seconds=self.stop_grace_seconds,
            watching=self.watching(),
            notices=self._notices(),
        )
        _ = settings.database  # refuses a URL that cannot be used, before anything is made
        return settings

    def _notices(self) -> NoticeSettings:
        password = Path(self.mail_password_file)
        return NoticeSettings(
            kinds=tuple(map(NoticeKind, self.notices)),
            hub_url=_address(self.notice_url, "notice_url"),
            mail=self.mail(_read_secret(password, "mail_password_file") if self.mail_password_file else ""),
            webhook_url=_address(self.webhook_url, "webhook_url"),
            webhook_secret=self._secret("webhook_secret_file", "webhook_secret") if self.webhook_url else "",
        )

    def _secret(self, trait: str, name: str) -> str:
        path: str = getattr(self, trait)
        if path:
            return _read_secret(Path(path), trait)
        return StateFolder.at(self.state_dir).secret(name)


def described_settings() -> Mapping[str, TraitType[Any, Any]]:
    """Return the settings by name, for the reference page and its test."""
    parts = LocalBackendTraits, PolicyTraits, WatchingTraits, NoticeTraits, CapacityService
    return dict(sorted(own for part in parts for own in part.class_own_traits(config=True).items()))


def _read_secret(path: Path, trait: str) -> str:
    try:
        secret = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} cannot be read: {error}", where=f"CapacityService.{trait}") from error
    if not secret:
        raise InvalidInput(f"{path} is empty", where=f"CapacityService.{trait}")
    return secret


def _address(url: str, trait: str) -> str:
    if url and not url.startswith(("http://", "https://")):
        raise InvalidInput(
            f"{url!r} is no address: it begins with http:// or https://",
            where=f"CapacityService.{trait}",
        )
    return url


def _with_slashes(path: str) -> str:
    inner = path.strip("/")
    return f"/{inner}/" if inner else "/"
