"""The settings as a process reads them that starts."""

import os
import runpy
from typing import Any
from unittest.mock import patch

from devserver.folders import CHECKOUT

OF_DEVELOPMENT = ("LLMTEAM_DEVELOPMENT", "DEBUG")


def read_settings(**variables: str) -> dict[str, Any]:
    """Read them anew, with these variables and what the tests' environment has but for development.

    Raises:
        ImproperlyConfigured: One of them is wrong; a process says so and ends.
    """
    inherited = {name: value for name, value in os.environ.items() if name not in OF_DEVELOPMENT}
    with patch.dict(os.environ, inherited | variables, clear=True):
        return runpy.run_path(str(CHECKOUT / "platform/llmteam/settings.py"))
