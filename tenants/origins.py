"""Origins as browsers send them; any other spelling would never match."""

import re
from typing import Final
from urllib.parse import urlsplit

from django.core.exceptions import ValidationError

_ORIGIN: Final = re.compile(r"https?://(?:(?:[a-z0-9_-]+\.)*[a-z0-9_-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def check_origin(text: str) -> None:
    """Refuse what no browser sends as an origin.

    Raises:
        ValidationError: It is none, or spelled otherwise than browsers do.
    """
    default = {"http": ":80", "https": ":443"}.get(urlsplit(text).scheme, "")
    if _ORIGIN.fullmatch(text) is None or (default and text.endswith(default)):
        raise ValidationError(
            f"{text!r} is not an origin: write https://editor.example.com, in lower case, without a path, and with "
            f"a port "
            "only where it is not the usual one."
        )
