"""JSON kept as text in the database."""

from typing import Any

from django.db import models
from django.db.backends.base.base import BaseDatabaseWrapper

from kernel.types import Json
from kernel.values import dump_json


class JsonTextField(models.JSONField):
    """JSON kept as the text that was written (Postgres ``json``), so that what was written is what is read."""

    def db_type(self, connection: BaseDatabaseWrapper) -> str:
        """Use ``json``, which keeps the text, not ``jsonb``, which keeps a parsed form."""
        return "json"

    def get_db_prep_value(self, value: Any, connection: BaseDatabaseWrapper, prepared: bool = False) -> Any:
        """Write compact text; None is SQL NULL."""
        return None if value is None else dump_json(value)

    def from_db_value(self, value: Json, expression: Any, connection: BaseDatabaseWrapper) -> Json:
        """Return what the driver parsed: it reads ``json`` itself, unlike ``jsonb``."""
        return value
