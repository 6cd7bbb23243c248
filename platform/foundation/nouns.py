"""Names of models in data: the audit's types, the console's permissions."""

import re
from typing import Final

from django.db.models import Model

_WORD_STARTS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")


def noun_of(model: type[Model]) -> str:
    """Return a model's name in words joined by underscores: ``HumanTask`` is ``human_task``."""
    return _WORD_STARTS.sub("_", model.__name__).lower()
