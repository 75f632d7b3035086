import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from access import actions


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def operator(db: None) -> Client:
    return client_of(actions.create_operator("operator", "correct horse battery"))


@pytest.fixture
def viewer(db: None) -> Client:
    user = User.objects.create_user("viewer", password="correct horse battery")
    user.groups.add(Group.objects.get(name="viewer"))
    return client_of(user)
