"""Addresses of mail servers and of the web, as the environment writes them."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from alphaswarm_site import environment

NAME = "ALPHASWARM_TESTED"


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("", ("localhost", 25, "", "", False, False)),
        ("smtp://mail.example", ("mail.example", 25, "", "", False, False)),
        ("smtp+tls://ops%40x:p%3Aw@mail.example", ("mail.example", 587, "ops@x", "p:w", True, False)),
        ("smtps://ops:pw@mail.example:4650", ("mail.example", 4650, "ops", "pw", False, True)),
    ],
)
def test_a_mail_server_is_read_from_its_address(monkeypatch, url, server):
    monkeypatch.setenv(NAME, url)
    assert environment.mail_server(NAME) == server


@pytest.mark.parametrize(
    "url", ["mail.example/canary", "http://canary@x", "smtp://", "smtp://x:canary", "smtp://[canary"]
)
def test_a_mail_server_that_cannot_be_read_is_refused_by_its_name_alone(monkeypatch, url):
    monkeypatch.setenv(NAME, url)
    with pytest.raises(ImproperlyConfigured, match=NAME) as refusal:
        environment.mail_server(NAME)
    assert "canary" not in str(refusal.value)


@pytest.mark.parametrize("url", ["hooks.example/canary", "ftp://x/canary", "https:///canary", "https://x:canary/"])
def test_an_address_of_the_web_that_cannot_be_called_is_refused_by_its_name_alone(monkeypatch, url):
    monkeypatch.setenv(NAME, url)
    with pytest.raises(ImproperlyConfigured, match=NAME) as refusal:
        environment.web(NAME)
    assert "canary" not in str(refusal.value)


def test_recipients_without_a_mail_server_are_refused(monkeypatch):
    monkeypatch.setenv(NAME, "olga@example.com")
    monkeypatch.delenv("ALPHASWARM_OTHER", raising=False)
    with pytest.raises(ImproperlyConfigured, match="ALPHASWARM_OTHER"):
        environment.together(NAME, "ALPHASWARM_OTHER")
