from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, User
from django.test import Client

from access import actions
from access.models import ApiToken
from access.principals import cli_principal
from tests.access import urls

PASSWORD = "correct horse battery"

MakeUser = Callable[..., User]
MakeToken = Callable[..., str]


@pytest.fixture(autouse=True)
def small_site(settings) -> None:
    settings.ROOT_URLCONF = "tests.access.urls"
    urls.may_end.set()


@pytest.fixture
def make_user(db) -> MakeUser:
    def make(username: str = "olga", *roles: str) -> User:
        user = User.objects.create_user(username, password=PASSWORD)
        user.groups.set(Group.objects.filter(name__in=roles))
        return user

    return make


@pytest.fixture
def operator(db) -> User:
    """The first account: it may do everything."""
    return actions.create_operator("operator", PASSWORD)


@pytest.fixture
def make_token(db) -> MakeToken:
    def make(scope: str = "read", **options: object) -> str:
        return actions.create_token("script", scope, principal=cli_principal(), **options)[1]

    return make


@pytest.fixture
def token_row(make_token: MakeToken) -> ApiToken:
    make_token()
    return ApiToken.objects.get()


def bearer(secret: str, **client_options: object) -> Client:
    return Client(headers={"Authorization": f"Bearer {secret}"}, **client_options)


def logged_in(user: User, **client_options: object) -> Client:
    client = Client(**client_options)
    client.force_login(user)
    return client
