from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from access import throttle
from access.models import AuditEntry, LoginAttempt
from tests.access.conftest import PASSWORD, logged_in

pytestmark = pytest.mark.django_db


def log_in(client, username="operator", password=PASSWORD, **options):
    return client.post("/ui/login/", {"username": username, "password": password, "next": "/ui/account/"}, **options)


def test_the_right_password_leads_on(client, operator):
    answer = log_in(client)
    assert (answer.status_code, answer["Location"]) == (302, "/ui/account/")
    assert AuditEntry.objects.filter(actor="session:operator", verb="login").exists()


def test_it_never_leads_to_another_site(client, operator):
    form = {"username": "operator", "password": PASSWORD, "next": "https://evil.example/"}
    assert client.post("/ui/login/", form)["Location"] == "/ui/portfolio/"


def test_a_wrong_password_is_told_and_audited(client, operator):
    assert "correct username" in log_in(client, password="wrong").content.decode()
    assert AuditEntry.objects.filter(verb="login.refuse", detail={"username": "operator"}).exists()


def test_guessing_is_stopped(client, operator):
    for _ in range(throttle.PER_NAME):
        assert log_in(client, password="wrong").status_code == 200
    assert log_in(client).status_code == 429


def test_a_guesser_elsewhere_does_not_lock_the_operator_out(client, operator):
    for _ in range(throttle.PER_NAME + 1):
        log_in(client, password="wrong", REMOTE_ADDR="192.0.2.1")
    assert log_in(client).status_code == 302


def test_many_names_from_one_place_are_stopped_too(client, operator, monkeypatch):
    monkeypatch.setattr(throttle, "PER_ADDRESS", 3)
    for number in range(3):
        log_in(client, f"guess{number}")
    assert log_in(client).status_code == 429


def test_it_is_forgotten_after_five_minutes(client, operator):
    for _ in range(throttle.PER_NAME):
        log_in(client, password="wrong")
    LoginAttempt.objects.update(at=timezone.now() - throttle.WINDOW - timedelta(seconds=1))
    assert log_in(client).status_code == 302
    assert LoginAttempt.objects.count() == 0


def test_success_forgives(client, operator):
    for _ in range(throttle.PER_NAME - 1):
        log_in(client, password="wrong")
    log_in(client)
    assert log_in(client, password="wrong").status_code == 200


def test_the_log_in_needs_its_csrf_token(operator):
    assert log_in(Client(enforce_csrf_checks=True)).status_code == 403


def test_log_out_is_a_post(operator):
    client = logged_in(operator)
    assert client.get("/ui/logout/").status_code == 405
    assert client.post("/ui/logout/")["Location"] == "/ui/login/"
    assert client.get("/ui/account/").status_code == 302


def test_a_new_password_ends_the_other_sessions(operator):
    here, elsewhere = logged_in(operator), logged_in(operator)
    new = "a better horse 5"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    assert here.post("/ui/account/password/change/", form).status_code == 302
    assert here.get("/ui/account/").status_code == 200
    assert elsewhere.get("/ui/account/").status_code == 302
    assert AuditEntry.objects.filter(verb="user.change_password").count() == 1


def test_an_easy_password_is_refused(operator):
    form = {"old_password": PASSWORD, "new_password1": "password", "new_password2": "password"}
    assert logged_in(operator).post("/ui/account/password/change/", form).status_code == 422


def test_guessing_the_present_password_is_stopped(operator):
    client = logged_in(operator)
    form = {"old_password": "wrong", "new_password1": "a better horse 5", "new_password2": "a better horse 5"}
    for _ in range(throttle.PER_NAME + 1):
        answer = client.post("/ui/account/password/change/", form)
    assert "Too many attempts" in answer.content.decode()
