import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection


@pytest.mark.django_db
def test_the_database_is_postgresql_in_utc() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW timezone")
        assert cursor.fetchone() == ("UTC",)
    assert connection.vendor == "postgresql"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("round_", [1, 2])
def test_transactional_tests_start_empty_but_seeded(round_: int) -> None:
    assert not Group.objects.filter(name="left behind").exists()
    assert Permission.objects.exists()
    Group.objects.create(name="left behind")
