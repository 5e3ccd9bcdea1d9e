"""Notices by webhook: one POST of JSON each, signed as Standard Webhooks describes.

Source: https://github.com/standard-webhooks/standard-webhooks (spec 1.0).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.notices.model import Notice, Undeliverable

SECONDS: Final = 15.0
_PASSING: Final = frozenset({408, 409, 425, 429})
"""Refusals (4xx) that a later try may not meet."""


class Webhook:
    """The channel `webhook`."""

    name = "webhook"

    def __init__(self, url: str, secret: bytes, clock: Callable[[], float]) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock

    async def send(self, notice: Notice) -> None:
        """Post a notice. Raises `Undeliverable`, or `Unavailable`."""
        body = json.dumps(message_of(notice)).encode()
        request = HTTPRequest(
            self._url,
            method="POST",
            body=body,
            headers=self._headers(notice.id, body),
            connect_timeout=5.0,
            request_timeout=SECONDS,
            follow_redirects=False,
        )
        client = AsyncHTTPClient(force_instance=True)  # for one post: they are rare, and nothing stays open
        try:
            response = await client.fetch(request, raise_error=False)
        except (OSError, HTTPClientError) as error:
            raise Unavailable(f"the webhook does not answer: {error}") from error
        finally:
            client.close()
        if response.code < 300:
            return
        if response.code < 500 and response.code not in _PASSING:
            raise Undeliverable(f"the webhook refused it (HTTP {response.code})")
        raise Unavailable(f"the webhook does not take it now (HTTP {response.code})")

    def _headers(self, id_: str, body: bytes) -> dict[str, str]:
        sent_at = str(int(self._clock()))
        return {
            "Content-Type": "application/json",
            "User-Agent": "jupyterhub-mesos",
            "webhook-id": id_,
            "webhook-timestamp": sent_at,
            "webhook-signature": signature(self._secret, id_, sent_at, body),
        }


def signature(secret: bytes, id_: str, sent_at: str, body: bytes) -> str:
    """Return the signature of a delivery: version 1, HMAC-SHA256, base64."""
    signed = b".".join((id_.encode(), sent_at.encode(), body))
    return f"v1,{base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()}"


def message_of(notice: Notice) -> dict[str, Any]:
    """Return the body of a delivery."""
    return {
        "type": f"capacity.{notice.kind.value}",
        "timestamp": datetime.fromtimestamp(notice.at, UTC).isoformat(),
        "data": {
            "id": notice.id,
            "user": notice.user or None,
            "team": notice.team,
            "subject": notice.subject,
            "title": notice.title,
            "text": notice.text,
            "link": notice.link,
        },
    }
