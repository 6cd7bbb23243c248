"""Who looks at the console, and what there is to see."""

import pytest
from django.contrib import admin
from django.test import Client

from tenants.models import User
from tests.conftest import Customer
from tests.support.console import World, a_world

admin.autodiscover()  # tests are made from the registry before any route is loaded


@pytest.fixture
def operator(db: None) -> User:
    return User.objects.create(username="operator", is_staff=True, is_superuser=True)


@pytest.fixture
def console(client: Client, operator: User) -> Client:
    client.force_login(operator)
    return client


@pytest.fixture
def acme_world(acme: Customer) -> World:
    return a_world(acme.tenant)


@pytest.fixture
def globex_world(globex: Customer) -> World:
    return a_world(globex.tenant, name="greet-globex")
