"""The pages of the operator console, from its registry, which `tests/admin/conftest.py` has filled."""

from typing import Any

import pytest
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from foundation.scope import unscoped

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)
every_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)


def page(model: type[Model], name: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def a_row_of(model: type[Model]) -> Model:
    with unscoped("rows for a test"):
        row = model._default_manager.first()
    assert row is not None, f"tests.support.console.a_world writes no {model._meta.label}"
    return row
