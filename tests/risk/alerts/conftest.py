"""Channels that lead to loopback, and a delivery that remembers nothing of other tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.risk.alerts.sinks import MailSink, WebSink, mail_sink, web_sink


@pytest.fixture(autouse=True)
def no_channels(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    # A conftest is read before Django's models may be.
    from risk.alerts import delivery, heartbeat
    from risk.alerts.errands import Errands

    settings.ALERT_EMAIL_TO, settings.ALERT_WEBHOOK_URL, settings.ALERT_WEBHOOK_SECRET = [], "", ""
    settings.ALERT_SLACK_URL, settings.HEARTBEAT_URL = "", ""
    monkeypatch.setattr(delivery, "_errands", Errands())
    monkeypatch.setattr(delivery, "_outcomes", [])
    monkeypatch.setattr(heartbeat, "_heart", heartbeat._Heart())


@pytest.fixture
def hook(settings: Any) -> Iterator[WebSink]:
    with web_sink() as sink:
        settings.ALERT_WEBHOOK_URL = f"{sink.url}/hook/canary-path"
        settings.ALERT_WEBHOOK_SECRET = "canary-secret"
        yield sink


@pytest.fixture
def slack(settings: Any) -> Iterator[WebSink]:
    with web_sink() as sink:
        settings.ALERT_SLACK_URL = f"{sink.url}/services/canary-token"
        yield sink


@pytest.fixture
def mail(settings: Any) -> Iterator[MailSink]:
    with mail_sink() as sink:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", sink.port
        settings.EMAIL_HOST_USER, settings.EMAIL_HOST_PASSWORD = "ops", "canary-password"
        settings.EMAIL_USE_TLS = settings.EMAIL_USE_SSL = False
        settings.ALERT_EMAIL_TO = ["olga@example.com"]
        yield sink
