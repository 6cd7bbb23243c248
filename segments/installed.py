"""Installed step types and connections: supplied by the app above, read by rules and services here."""

from collections.abc import Mapping
from typing import Final

from kernel.supplied import Supplied
from segments.catalog import Catalog

installed_catalog: Final[Supplied[Catalog]] = Supplied("the step types")
installed_connections: Final[Supplied[Mapping[str, str]]] = Supplied("the installation's connections")
"""Kind by name."""
