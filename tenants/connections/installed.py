"""Providers of language models that are installed, as the app that calls them supplies them."""

from collections.abc import Mapping
from typing import Final

from kernel.supplied import Supplied

provider_addresses: Final[Supplied[Mapping[str, str | None]]] = Supplied("the providers of language models")
"""By name, where calls go when a connection names no address; None where it has to."""
