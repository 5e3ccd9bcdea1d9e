"""Notices by mail: SMTP from the standard library, in a thread; one connection for each mail."""

from __future__ import annotations

import asyncio
import re
import smtplib
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from enum import StrEnum
from typing import Final

from jupyterhub_mesos.errors import Unavailable
from jupyterhub_mesos.service.notices.model import Notice, Undeliverable

SECONDS: Final = 20.0
"""For one step of the talk with the server."""
PERMANENT: Final = 500
"""From here on a server's answer is for good (RFC 5321, 4.2.1)."""
FOOT: Final = "Sent by the capacity service of your JupyterHub."
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\u2028\u2029]+")


class Security(StrEnum):
    """How the talk with the mail server is kept from others."""

    NONE = "none"
    STARTTLS = "starttls"  # begun in clear, refused where the server does not go over to TLS
    TLS = "tls"  # from the first byte on


@dataclass(frozen=True, slots=True)
class MailSettings:
    """Where mails go through; `address` returns where a user reads mail, or nothing."""

    host: str
    port: int
    sender: str
    address: Callable[[str], str | None]
    security: Security = Security.STARTTLS
    user: str = ""
    password: str = field(default="", repr=False)


class Mail:
    """The channel `mail`."""

    name = "mail"

    def __init__(self, settings: MailSettings) -> None:
        self._settings = settings

    async def send(self, notice: Notice) -> None:
        """Send a mail to the notice's user. Raises `Undeliverable`, or `Unavailable`."""
        address = self._settings.address(notice.user) if notice.user else None
        if not address:
            raise Undeliverable("nobody's address is known for it")
        message = mail_of(notice, self._settings.sender, address)
        try:
            await asyncio.to_thread(self._send, message)
        except smtplib.SMTPRecipientsRefused as error:
            code, said = next(iter(error.recipients.values()))
            raise _refused(code, said) from error
        except smtplib.SMTPDataError as error:
            raise _refused(error.smtp_code, error.smtp_error) from error
        except (OSError, smtplib.SMTPException) as error:
            raise Unavailable(f"the mail server {self._settings.host} does not take mail: {error}") from error

    def _send(self, message: EmailMessage) -> None:
        how = self._settings
        context = ssl.create_default_context()
        with self._connection(context) as server:
            if how.security is Security.STARTTLS:
                server.starttls(context=context)
            if how.user:
                server.login(how.user, how.password)
            server.send_message(message)

    def _connection(self, context: ssl.SSLContext) -> smtplib.SMTP:
        how = self._settings
        if how.security is Security.TLS:
            return smtplib.SMTP_SSL(how.host, how.port, timeout=SECONDS, context=context)
        return smtplib.SMTP(how.host, how.port, timeout=SECONDS)


def mail_of(notice: Notice, sender: str, address: str) -> EmailMessage:
    """Write a mail; what users named cannot begin a header of its own. Raises `Undeliverable`."""
    message = EmailMessage()
    message["From"], message["To"] = sender, _one(address)
    message["Subject"] = f"[JupyterHub] {_CONTROL.sub(' ', notice.title)}"
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at, UTC))
    message["Message-ID"] = f"<{notice.id}.{int(notice.at)}@{sender.rpartition('@')[2].strip('> ') or 'hub'}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(f"{notice.text}\n\n{notice.link}\n\n-- \n{FOOT}\n")
    return message


def _one(text: str) -> Address:
    """Read an address; raises `Undeliverable` where it is none, or several."""
    try:
        return Address(addr_spec=text)
    except (ValueError, IndexError, MessageError) as error:  # an empty domain is an IndexError to the library
        raise Undeliverable(f"{text!r} is no mail address") from error


def _refused(code: int, said: bytes | str) -> Undeliverable | Unavailable:
    """Tell a refusal of this reader or this mail for good from one for now; a log-in's is of neither."""
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    if code >= PERMANENT:
        return Undeliverable(f"the mail server refused it for good ({code} {text})")
    return Unavailable(f"the mail server refused it for now ({code} {text})")
