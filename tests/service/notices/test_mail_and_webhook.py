"""Mails to a real SMTP server on a socket, and signed posts to a real HTTP server."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from jupyterhub_mesos.errors import InvalidInput, Unavailable
from jupyterhub_mesos.service.notices.mail import Mail, MailSettings, Security
from jupyterhub_mesos.service.notices.model import Notice, NoticeKind, Undeliverable
from jupyterhub_mesos.service.notices.webhook import Webhook
from jupyterhub_mesos.service.settings import CapacityService

HOST = "127.0.0.1"
SECRET = b"a-secret-of-two"
NOTICE = Notice(
    id="notice-7",
    kind=NoticeKind.ROOM,
    at=1_770_000_000.0,
    user="ann",
    team="vision",
    subject="r1",
    title="There is room for your notebook",
    text="Confirm it.",
    link="https://hub.example.org/services/capacity/requests/r1",
)


@dataclass
class Letterbox:
    """What an SMTP server was handed; `answer` is what it says to a recipient."""

    answer: str = "250 OK"
    letters: list[EmailMessage] = field(default_factory=list)

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.answer

    async def handle_DATA(  # noqa: N802 - as above
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        assert isinstance(envelope.content, bytes)
        letter = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(letter, EmailMessage)
        self.letters.append(letter)
        return "250 OK"


@dataclass(frozen=True)
class Post:
    """A mail server, and how it is reached."""

    box: Letterbox
    settings: MailSettings


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    box = Letterbox()
    server = await asyncio.get_running_loop().create_server(lambda: _server(box), HOST, 0)
    port = server.sockets[0].getsockname()[1]
    yield Post(box, MailSettings(HOST, port, "hub@example.org", address_of, Security.NONE))
    server.close()
    await server.wait_closed()


def _server(box: Letterbox) -> SMTP:
    """A server that lets nobody log in, in clear too, so that the answer to it is seen."""
    return SMTP(
        box,
        authenticator=lambda *_: AuthResult(success=False, handled=False),
        auth_require_tls=False,
    )


def address_of(user: str) -> str:
    return f"{user}@example.org"


async def test_a_mail_says_what_it_is_about_and_where_to_go(
    post: Post,
) -> None:
    box, settings = post.box, post.settings
    await Mail(settings).send(NOTICE)
    [letter] = box.letters
    assert (letter["To"], letter["From"]) == ("ann@example.org", "hub@example.org")
    assert letter["Subject"] == "[JupyterHub] There is room for your notebook"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert NOTICE.id in letter["Message-ID"]
    text = letter.get_content()
    assert "Confirm it." in text
    assert NOTICE.link in text


async def test_a_name_cannot_begin_a_header(post: Post) -> None:
    box, settings = post.box, post.settings
    evil = "x\r\nBcc: eve@example.org\u2028\nSubject: pay"
    await Mail(settings).send(replace(NOTICE, title=evil))
    [letter] = box.letters
    assert letter["Bcc"] is None
    assert letter.get_all("Subject") == ["[JupyterHub] x Bcc: eve@example.org Subject: pay"]


async def test_nobody_s_address_or_a_broken_one_is_no_reason_to_try_again(
    post: Post,
) -> None:
    settings = post.settings
    for user, address in (("", lambda user: user), ("ann", lambda _: None), ("ann", lambda _: "a b@@c, d")):
        with pytest.raises(Undeliverable):
            await Mail(replace(settings, address=address)).send(replace(NOTICE, user=user))


@pytest.mark.parametrize(
    ("answer", "error"), [("550 no such user", Undeliverable), ("451 later", Unavailable)]
)
async def test_a_refusal_for_good_is_told_from_one_for_now(
    post: Post, answer: str, error: type[Exception]
) -> None:
    box, settings = post.box, post.settings
    box.answer = answer
    with pytest.raises(error, match=answer.split()[1]):
        await Mail(settings).send(NOTICE)


async def test_a_log_in_that_is_refused_loses_no_notice(post: Post) -> None:
    settings = replace(post.settings, user="hub", password="wrong")
    with pytest.raises(Unavailable, match="535"):
        await Mail(settings).send(NOTICE)
    assert post.box.letters == []


def test_no_password_is_in_a_representation(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("planted-password")
    (tmp_path / "secret").write_text("planted-secret")
    service = configured(
        tmp_path,
        mail_server="m",
        mail_from="hub@example.org",
        mail_address="{user}@example.org",
        mail_password_file=str(tmp_path / "password"),
        webhook_url="https://chat.example.org/planted-path",
        webhook_secret_file=str(tmp_path / "secret"),
    )
    settings = service.settings()
    assert settings.notices.mail is not None
    assert settings.notices.mail.password == "planted-password"
    assert "planted" not in repr(settings)


async def test_a_mail_server_that_is_away_is_tried_again(post: Post) -> None:
    settings = post.settings
    with pytest.raises(Unavailable, match="does not take mail"):
        await Mail(replace(settings, port=1)).send(NOTICE)


async def test_a_server_without_tls_is_told_nothing_where_tls_is_wanted(
    post: Post,
) -> None:
    box, settings = post.box, post.settings
    with pytest.raises(Unavailable):
        await Mail(replace(settings, security=Security.STARTTLS, user="hub", password="secret")).send(NOTICE)
    assert box.letters == []


# ---- webhook ----------------------------------------------------------------------------------------


@dataclass
class Receiver:
    """What was posted; `codes` are the answers to come, then 204."""

    url: str
    codes: list[int] = field(default_factory=list)
    posted: list[HTTPServerRequest] = field(default_factory=list)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    sockets = bind_sockets(0, HOST)
    receiver = Receiver(f"http://{HOST}:{sockets[0].getsockname()[1]}/hook")

    class Hook(RequestHandler):
        def post(self) -> None:
            receiver.posted.append(self.request)
            self.set_status(receiver.codes.pop(0) if receiver.codes else 204)

    server = HTTPServer(Application([("/hook", Hook)]))
    server.add_sockets(sockets)
    yield receiver
    server.stop()
    await server.close_all_connections()


async def test_a_post_is_signed_and_says_all(receiver: Receiver) -> None:
    await Webhook(receiver.url, SECRET, lambda: 1_770_000_100.9).send(NOTICE)
    [request] = receiver.posted
    headers = request.headers
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("notice-7", "1770000100")
    signed = b"notice-7.1770000100." + request.body
    mac = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"
    body = json.loads(request.body)
    assert (body["type"], body["timestamp"]) == ("capacity.room", "2026-02-02T02:40:00+00:00")
    assert body["data"]["user"] == "ann"
    assert body["data"]["link"] == NOTICE.link


@pytest.mark.parametrize(
    ("code", "error"), [(410, Undeliverable), (302, Undeliverable), (429, Unavailable), (503, Unavailable)]
)
async def test_a_receivers_refusal_for_good_is_told_from_one_for_now(
    receiver: Receiver, code: int, error: type[Exception]
) -> None:
    receiver.codes = [code]
    with pytest.raises(error):
        await Webhook(receiver.url, SECRET, lambda: 0.0).send(NOTICE)


async def test_a_receiver_that_is_away_is_tried_again() -> None:
    with pytest.raises(Unavailable, match="does not answer"):
        await Webhook(f"http://{HOST}:1/hook", SECRET, lambda: 0.0).send(NOTICE)


# ---- settings ---------------------------------------------------------------------------------------


def configured(tmp_path: Path, **traits: object) -> CapacityService:
    return CapacityService(state_dir=str(tmp_path), **traits)


@pytest.mark.parametrize(
    ("traits", "where"),
    [
        ({"mail_server": "mail.example.org:smtp"}, "mail_server"),
        ({"mail_server": "mail.example.org", "mail_address": "{user}@example.org"}, "mail_from"),
        ({"mail_server": "m", "mail_from": "hub@example.org"}, "mail_address"),
        ({"mail_server": "m", "mail_from": "h@x.org", "mail_address": "ann@example.org"}, "mail_address"),
        ({"webhook_url": "ftp://example.org"}, "webhook_url"),
        ({"mail_server": "m", "mail_password_file": "/nowhere"}, "mail_password_file"),
    ],
)
def test_what_leads_to_nobody_is_refused_at_the_start(
    tmp_path: Path, traits: dict[str, object], where: str
) -> None:
    with pytest.raises(InvalidInput, match=where):
        configured(tmp_path, **traits).settings()


def test_a_mail_servers_port_goes_with_its_security(tmp_path: Path) -> None:
    common = {"mail_from": "hub@example.org", "mail_address": lambda user: f"{user}@x.org"}
    for server, security, port in (("m", "starttls", 587), ("m", "tls", 465), ("m:26", "none", 26)):
        mail = (
            configured(tmp_path, mail_server=server, mail_security=security, **common).settings().notices.mail
        )
        assert mail is not None
        assert (mail.host, mail.port, mail.address("ann")) == ("m", port, "ann@x.org")


def test_who_is_told_nothing_configures_nothing(tmp_path: Path) -> None:
    notices = configured(tmp_path).settings().notices
    assert (notices.mail, notices.webhook_url, notices.webhook_secret) == (None, "", "")
