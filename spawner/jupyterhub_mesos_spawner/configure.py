"""One call that makes a JupyterHub work with the capacity service: `configure(c, state=..., ...)`.

Hub and service read the same `jupyterhub_config.py`: what the service needs is
set under `c.CapacityService`. Whatever a line after the call sets, wins.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypedDict, Unpack, cast

from jupyterhub_mesos.statefolder import LOOPBACK, Ports, StateFolder

SERVICE_NAME: Final = "capacity"
OPERATOR_NAME: Final = "capacity-operator"
"""A service of the hub without a process: whose token the supervisor and an operator's scripts use."""

ADMIN_SCOPE: Final = "custom:jupyterhub-mesos:admin"
ACCESS_SCOPE: Final = f"access:services!service={SERVICE_NAME}"
IDENTIFY_SCOPES: Final = ("read:users:name!user", "read:users:groups!user")
SERVER_SCOPES: Final = ("users:activity!user", "access:servers!server")
"""The hub's own `server` role: what every single-user server needs."""

IMPLICIT_SPAWN_SECONDS: Final = 0.01
"""A visitor of a stopped server goes on to the launch page at once; 0 would mean never."""

START_SECONDS: Final = 120
"""From the claim to the server's first answer: a cold JupyterLab takes 4 s, much more on a busy machine."""

HTTP_SECONDS: Final = 20
"""The spawner itself waits until a server answers; the hub then only looks once more, and when it starts."""

CONCURRENT_SPAWN_LIMIT: Final = 64
"""Well above the service's window of starts in flight (about 10), so that it never meets a 429."""

TEMPLATES: Final = Path(__file__).parent / "templates"


class Options(TypedDict, total=False):
    """What `configure` takes besides `c`; docs/reference/configure.md explains each."""

    state: Path | str
    service_url: str
    hub_key_file: Path | str
    api_token: str
    base_url: str
    spawner: str
    backend: str
    ledger_url: str
    teams_file: Path | str
    profiles_file: Path | str
    lake_file: Path | str
    admin_users: Sequence[str]
    admin_groups: Sequence[str]
    may_reclaim: bool
    hub_ip: str
    public_ip: str
    strategy: str
    half_life_hours: float
    patience_minutes: float
    reclaim: bool
    reclaim_min_runtime_minutes: float
    reclaim_grace_minutes: float
    preempt: bool
    preempt_min_runtime_minutes: float
    preempt_grace_minutes: float
    budget_grace_minutes: float
    notice_minutes: float
    clear_seconds: float
    stop_grace_seconds: float


POLICY_OPTIONS: Final = (
    "strategy",
    "half_life_hours",
    "patience_minutes",
    "reclaim",
    "reclaim_min_runtime_minutes",
    "reclaim_grace_minutes",
    "preempt",
    "preempt_min_runtime_minutes",
    "preempt_grace_minutes",
    "budget_grace_minutes",
    "notice_minutes",
    "clear_seconds",
    "stop_grace_seconds",
)
"""Those that are handed on to `c.CapacityService` under the same name, where they are given."""


class HubConfig(Protocol):
    """traitlets' `c`: a section per class, made at its first use."""

    def __getattr__(self, section: str) -> Any:
        """Return the section of a class."""
        ...


@dataclass(frozen=True, slots=True)
class _Plan:
    """The options with their defaults."""

    folder: StateFolder
    ports: Ports
    base_url: str
    service_url: str
    hub_key_file: str
    api_token: str
    options: Options

    @classmethod
    def of(cls, options: Options) -> _Plan:
        folder = StateFolder.at(options.get("state", "state"))
        folder.prepare()
        ports = folder.ports()
        base_url = "/" + options.get("base_url", "/").strip("/")
        base_url = base_url if base_url == "/" else base_url + "/"
        return cls(
            folder=folder,
            ports=ports,
            base_url=base_url,
            service_url=options.get(
                "service_url", f"http://{LOOPBACK}:{ports.service}{base_url}services/{SERVICE_NAME}/"
            ),
            hub_key_file=str(options.get("hub_key_file", "") or folder.secret_file("hub_key")),
            api_token=options.get("api_token", "") or folder.secret("service_token"),
            options=options,
        )

    @property
    def launch_page(self) -> str:
        return f"{self.base_url}services/{SERVICE_NAME}/"


def configure(c: object, **options: Unpack[Options]) -> None:
    """Set the hub and the capacity service up for each other.

    `state` is the state folder (default: `state`); ports and secrets come from
    it. `admin_users` and `admin_groups` (hub names) administer every team.
    `may_reclaim` lets the service stop servers through the hub. `spawner` is a
    spawner's entry point, `backend` where workloads run.
    """
    if unknown := options.keys() - Options.__annotations__:
        raise TypeError(f"configure() has no option {', '.join(sorted(unknown))}")
    plan = _Plan.of(options)
    config = cast("HubConfig", c)
    _addresses(config, plan)
    _survival(config, plan)
    _pages(config, plan)
    _spawner(config, plan)
    _people_and_roles(config, plan)
    _service(config, plan)


def _addresses(c: HubConfig, plan: _Plan) -> None:
    """Set where hub and proxy listen: only the proxy's public port is for people."""
    public_ip = plan.options.get("public_ip", LOOPBACK)
    hub_ip = plan.options.get("hub_ip", LOOPBACK)
    c.JupyterHub.bind_url = f"http://{public_ip}:{plan.ports.public}{plan.base_url}"
    c.JupyterHub.hub_bind_url = f"http://{hub_ip}:{plan.ports.hub}"
    c.ConfigurableHTTPProxy.should_start = False  # it runs beside the hub and outlives it
    c.ConfigurableHTTPProxy.api_url = f"http://{LOOPBACK}:{plan.ports.proxy_api}"
    c.ConfigurableHTTPProxy.auth_token = plan.folder.secret("proxy_token")


def _survival(c: HubConfig, plan: _Plan) -> None:
    """Let the hub stop, die and come back without anybody's server noticing."""
    c.JupyterHub.cleanup_servers = False
    c.JupyterHub.cleanup_proxy = False
    c.JupyterHub.db_url = f"sqlite:///{plan.folder.hub / 'jupyterhub.sqlite'}"
    c.JupyterHub.cookie_secret_file = str(plan.folder.secret_file("hub_cookie_secret"))
    c.JupyterHub.concurrent_spawn_limit = CONCURRENT_SPAWN_LIMIT
    # a server that does not come up is its owner's or its node's fault, and no reason for the hub to exit
    c.Spawner.consecutive_failure_limit = 0


def _pages(c: HubConfig, plan: _Plan) -> None:
    """Lead people to the launch page, by every door."""
    c.JupyterHub.default_url = plan.launch_page
    c.JupyterHub.implicit_spawn_seconds = IMPLICIT_SPAWN_SECONDS
    c.JupyterHub.template_paths = [str(TEMPLATES)]


def _spawner(c: HubConfig, plan: _Plan) -> None:
    c.JupyterHub.spawner_class = plan.options.get("spawner", "capacity-local")
    c.Spawner.start_timeout = START_SECONDS
    c.Spawner.http_timeout = HTTP_SECONDS
    c.ServiceSpawner.service_url = plan.service_url
    c.ServiceSpawner.hub_key_file = plan.hub_key_file
    c.ServiceSpawner.service_name = SERVICE_NAME
    c.ServiceSpawner.launch_page_url = plan.launch_page
    c.Spawner.server_token_scopes = [*SERVER_SCOPES, *IDENTIFY_SCOPES, ACCESS_SCOPE]
    c.Spawner.environment.update({"CAPACITY_URL": plan.service_url})


def _people_and_roles(c: HubConfig, plan: _Plan) -> None:
    """Let everybody use the service, its admins administer it, and the service start servers."""
    c.JupyterHub.custom_scopes = {
        ADMIN_SCOPE: {"description": "Administer every team, quota and request of the capacity service."}
    }
    c.JupyterHub.extra_user_scopes = {ACCESS_SCOPE}
    starts = ["start:servers", "read:servers", "list:users"]
    if plan.options.get("may_reclaim", False):
        starts.append("delete:servers")
    admins: dict[str, Any] = {
        "name": "capacity-admin",
        "description": "Administers the capacity service",
        "scopes": [ADMIN_SCOPE, ACCESS_SCOPE],
        "services": [OPERATOR_NAME],
    }
    # after a restart of the proxy, the supervisor has the hub tell it the routes again
    operator = {"name": "capacity-operator", "scopes": ["proxy"], "services": [OPERATOR_NAME]}
    for kind in ("users", "groups"):
        if names := list(cast("Sequence[str]", plan.options.get(f"admin_{kind}", ()))):
            admins[kind] = names
    c.JupyterHub.load_roles = [
        {"name": "capacity-service", "scopes": starts, "services": [SERVICE_NAME]},
        admins,
        operator,
    ]


def _service(c: HubConfig, plan: _Plan) -> None:
    """Make the service known to the hub (external: it runs beside it), and the hub to the service."""
    c.JupyterHub.services = [
        {
            "name": SERVICE_NAME,
            "url": _origin(plan.service_url),
            "api_token": plan.api_token,
            "oauth_no_confirm": True,
            "oauth_client_allowed_scopes": [ADMIN_SCOPE, ACCESS_SCOPE, *IDENTIFY_SCOPES],
            "display": True,
        },
        {"name": OPERATOR_NAME, "api_token": plan.folder.secret("operator_token"), "display": False},
    ]
    service = c.CapacityService
    service.state_dir = str(plan.folder.root)
    service.ip, service.port = LOOPBACK, plan.ports.service
    service.service_prefix = plan.launch_page
    service.service_name = SERVICE_NAME
    service.hub_api_url = f"http://{LOOPBACK}:{plan.ports.hub}{plan.base_url}hub/api"
    service.hub_base_url = plan.base_url
    service.api_token = plan.api_token
    service.hub_key_file = plan.hub_key_file
    service.admin_scope = ADMIN_SCOPE
    service.backend = plan.options.get("backend", "local")
    if "ledger_url" in plan.options:
        service.ledger_url = plan.options["ledger_url"]
    for name in ("teams_file", "profiles_file", "lake_file"):
        if path := plan.options.get(name):
            setattr(service, name, str(path))
    given = cast("Mapping[str, object]", plan.options)
    for name in POLICY_OPTIONS:
        if name in given:
            setattr(service, name, given[name])


def _origin(url: str) -> str:
    """Return scheme and host of a URL: the hub adds the service's prefix itself."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.split('/', 1)[0]}"
