"""What an operator says of notices, read and refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn, cast

from traitlets import Callable as CallableTrait
from traitlets import Enum, HasTraits, List, Unicode, Union

from jupyterhub_mesos.errors import InvalidInput
from jupyterhub_mesos.service.notices.mail import MailSettings, Security
from jupyterhub_mesos.service.notices.model import NoticeKind

PORTS: Final = {Security.NONE: 25, Security.STARTTLS: 587, Security.TLS: 465}
USER: Final = "{user}"


@dataclass(frozen=True, slots=True)
class NoticeSettings:
    """What was configured; without mail and webhook nobody is told."""

    kinds: tuple[NoticeKind, ...] = tuple(NoticeKind)
    hub_url: str = ""
    mail: MailSettings | None = None
    webhook_url: str = field(default="", repr=False)  # those of chats are their own password
    webhook_secret: str = field(default="", repr=False)


class NoticeTraits(HasTraits):
    """The keys under `c.CapacityService` that say who is told what, and how."""

    notices = List(
        Enum(tuple(kind.value for kind in NoticeKind)),
        default_value=[kind.value for kind in NoticeKind],
        help="What people are told by mail and webhook: `started` (after a minute's wait or more), `room` "
        "(confirm the start), `warned` (a stop is near), `taken` (stopped, waits again), `ended` (jobs, and "
        "notebooks that their user did not end), `budget`. Default: all of them.",
    ).tag(config=True)
    notice_url = Unicode(
        "",
        help="The hub's public address, for links in notices, such as https://hub.example.org. "
        "Default: none, then they have paths alone.",
    ).tag(config=True)
    mail_server = Unicode(
        "", help="The mail server as HOST or HOST:PORT. Default: none, then nobody gets mail."
    ).tag(config=True)
    mail_security = Enum(
        tuple(each.value for each in Security),
        default_value=Security.STARTTLS.value,
        help="How the talk with the mail server is kept from others: starttls (port 587), tls (465), or none "
        "(25), for a server on this machine. Default: starttls.",
    ).tag(config=True)
    mail_from = Unicode(
        "", help="The address that mails come from. Required with a mail server. Default: none."
    ).tag(config=True)
    mail_address = Union(
        (Unicode(), CallableTrait()),
        default_value="",
        help="Where a user reads mail: a text with {user} for the hub's name, such as {user}@example.org, or "
        "a function from that name to an address, or to None. Required with a mail server. Default: none.",
    ).tag(config=True)
    mail_user = Unicode(
        "", help="The name with which we log in to the mail server. Default: none, without a log-in."
    ).tag(config=True)
    mail_password_file = Unicode("", help="File with the password for that. Default: none.").tag(config=True)
    webhook_url = Unicode(
        "", help="Where each notice is posted as JSON, signed. Default: none, then nowhere."
    ).tag(config=True)
    webhook_secret_file = Unicode(
        "",
        help="File with the secret of the signatures; the receiver has it too. Default: "
        "STATE/secrets/webhook_secret, made where it is missing.",
    ).tag(config=True)

    def mail(self, password: str) -> MailSettings | None:
        """Return how mail is sent; raises `InvalidInput` where something is missing."""
        if not self.mail_server:
            return None
        security = Security(self.mail_security)
        host, _, port = self.mail_server.partition(":")
        if not host or (port and not port.isdecimal()):
            _refuse("mail_server", f"{self.mail_server!r} is no HOST or HOST:PORT")
        if "@" not in self.mail_from:
            _refuse("mail_from", "mails come from an address: name one, such as hub@example.org")
        return MailSettings(
            host=host,
            port=int(port or PORTS[security]),
            sender=self.mail_from,
            address=_addresses(self.mail_address),
            security=security,
            user=self.mail_user,
            password=password,
        )


def _addresses(how: object) -> Callable[[str], str | None]:
    if callable(how):
        return cast("Callable[[str], str | None]", how)
    text = str(how)
    if USER not in text or "@" not in text:
        _refuse("mail_address", f"{text!r} leads to nobody: write it as {USER}@example.org, or as a function")
    return lambda user: text.replace(USER, user)


def _refuse(trait: str, message: str) -> NoReturn:
    raise InvalidInput(message, where=f"CapacityService.{trait}")
