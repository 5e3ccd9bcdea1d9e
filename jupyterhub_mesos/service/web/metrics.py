"""`/metrics`: what Prometheus reads."""

from __future__ import annotations

from typing import Final

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from jupyterhub_mesos.errors import NotAllowed
from jupyterhub_mesos.service.web.base import ApiHandler
from jupyterhub_mesos.service.web.contract import contract

SCOPE: Final = "read:metrics"
"""The hub's own, which its `/metrics` asks for too."""


class MetricsHandler(ApiHandler):
    """`/metrics`, for a token with the scope, an admin's, or everybody where the operator says so."""

    async def prepare(self) -> None:
        """Let pass who may read."""
        if self.context.settings.watching.open_metrics:
            self.check_query()
            return
        await super().prepare()
        who = self.identity
        if not (who.is_admin or SCOPE in who.scopes):
            raise NotAllowed(
                f"The metrics are for admins and for tokens with the hub's scope {SCOPE}: give your "
                "Prometheus a service's token with it, or set c.CapacityService.open_metrics."
            )

    @contract(media="text/plain")
    async def get(self) -> None:
        """Send every metric in Prometheus' text form."""
        self.set_header("Content-Type", CONTENT_TYPE_LATEST)
        self.send(generate_latest(self.context.measures.registry))
