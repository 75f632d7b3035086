"""The ways to a person: e-mail, a signed webhook, a Slack-compatible webhook.

All that is said of a failure is written here: what a server answers and what a library says may hold an address or a
secret, and is not repeated.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import smtplib
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
import requests
from django.conf import settings
from django.core.mail import EmailMessage, get_connection

#: Seconds to connect, and between two bytes of an answer.
TIMEOUTS: Final = (3.0, 5.0)


class NotDelivered(Exception):
    """The channel did not take it; the message says why, in a sentence without secrets."""


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as it leaves: ``count`` times since ``first_at``."""

    id: int
    kind: str
    severity: str
    subject: str
    message: str
    run_id: UUID | None
    account: str
    count: int
    first_at: datetime
    last_at: datetime

    @property
    def text(self) -> str:
        times = f" ({self.count} times since {self.first_at:%Y-%m-%d %H:%M} UTC)" if self.count > 1 else ""
        about = [f"run {self.run_id}"] if self.run_id else []
        about += [f"account {self.account}"] if self.account else []
        lines = [f"{self.severity.upper()}: {self.subject}{times}", self.message, ", ".join(about)]
        return "\n".join(line for line in lines if line)


class Channel(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def where(self) -> str:
        """Where it leads, as far as anybody may read it."""

    def send(self, letters: Sequence[Letter]) -> None:
        """Deliver all of them in one message. Raises `NotDelivered`."""


class Email(msgspec.Struct, frozen=True):
    """Django's mail, as its settings say. ``addresses`` of those who are told."""

    addresses: tuple[str, ...]
    name: str = "email"

    @property
    def where(self) -> str:
        return ", ".join(f"{address[:1]}…@{address.rpartition('@')[2]}" for address in self.addresses)

    def send(self, letters: Sequence[Letter]) -> None:
        first = letters[0]
        more = f" and {len(letters) - 1} more" if len(letters) > 1 else ""
        mail = EmailMessage(
            f"[AlphaSwarm] {first.severity.upper()}: {first.subject}{more}",
            "\n\n".join(letter.text for letter in letters),
            settings.DEFAULT_FROM_EMAIL,
            list(self.addresses),
        )
        try:
            mail.connection = get_connection()
            mail.send()
        except smtplib.SMTPAuthenticationError as error:
            raise NotDelivered(f"the mail server refused the log-in ({error.smtp_code})") from None
        except smtplib.SMTPRecipientsRefused:
            raise NotDelivered("the mail server refused every recipient") from None
        except smtplib.SMTPResponseException as error:
            raise NotDelivered(f"the mail server answered {error.smtp_code}") from None
        except TimeoutError:
            raise NotDelivered(f"the mail server did not answer within {settings.EMAIL_TIMEOUT:g} s") from None
        except (OSError, smtplib.SMTPException) as error:
            raise NotDelivered(f"the mail server cannot be used ({type(error).__name__})") from None


class Webhook(msgspec.Struct, frozen=True):
    """``{"alerts": […]}`` by POST. With a secret it is signed: ``X-AlphaSwarm-Signature: t=UNIX,v1=HEX``, where HEX is
    HMAC-SHA256 of ``UNIX.BODY``; the time keeps an old message from being sent again by somebody else."""

    url: str
    secret: str = ""
    name: str = "webhook"

    @property
    def where(self) -> str:
        return masked(self.url)

    def send(self, letters: Sequence[Letter]) -> None:
        body = msgspec.json.encode({"alerts": letters})
        headers = {"Content-Type": "application/json"}
        if self.secret:
            headers["X-AlphaSwarm-Signature"] = signature(self.secret, int(time.time()), body)
        call("POST", self.url, body, headers)


class Slack(msgspec.Struct, frozen=True):
    """``{"text": …}`` by POST, which Slack, Mattermost, Rocket.Chat and others take."""

    url: str
    name: str = "slack"

    @property
    def where(self) -> str:
        return masked(self.url)

    def send(self, letters: Sequence[Letter]) -> None:
        text = "\n\n".join(letter.text for letter in letters)
        for sign, written in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            text = text.replace(sign, written)
        call("POST", self.url, json.dumps({"text": text}).encode(), {"Content-Type": "application/json"})


def signature(secret: str, at: int, body: bytes) -> str:
    """The signature of ``body`` sent ``at`` this Unix time."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


def masked(url: str) -> str:
    """Scheme and host: the rest of a webhook's address is as good as a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}/…"


def call(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> None:
    """Call a web server and look at its status alone. Raises `NotDelivered` for all but 2xx; follows no redirect."""
    try:
        with requests.request(
            method, url, data=body, headers=headers, timeout=TIMEOUTS, allow_redirects=False, stream=True
        ) as answer:
            status = answer.status_code
    except requests.Timeout:
        raise NotDelivered(f"no answer within {TIMEOUTS[1]:g} s") from None
    except requests.ConnectionError:
        raise NotDelivered("cannot be reached, or does not speak HTTP") from None
    except requests.RequestException as error:
        raise NotDelivered(f"cannot be called ({type(error).__name__})") from None
    if not 200 <= status < 300:
        raise NotDelivered(f"answered {status}")


#: What a channel needs to be there, by its name.
NEEDS: Final = {
    "email": "ALPHASWARM_ALERT_EMAIL_TO and ALPHASWARM_EMAIL_URL",
    "webhook": "ALPHASWARM_ALERT_WEBHOOK_URL",
    "slack": "ALPHASWARM_ALERT_SLACK_URL",
}


def configured() -> dict[str, Channel]:
    """The channels that the settings name, by their names."""
    makers: dict[str, tuple[Any, Callable[[], Channel]]] = {
        "email": (settings.ALERT_EMAIL_TO, lambda: Email(tuple(settings.ALERT_EMAIL_TO))),
        "webhook": (
            settings.ALERT_WEBHOOK_URL,
            lambda: Webhook(settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET),
        ),
        "slack": (settings.ALERT_SLACK_URL, lambda: Slack(settings.ALERT_SLACK_URL)),
    }
    return {name: make() for name, (setting, make) in makers.items() if setting}
