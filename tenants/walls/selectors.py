"""Reads about the wall, as this process finds it."""

from django.db import connection

from tenants.walls.coverage import Coverage, read_coverage


def coverage_of_walls() -> Coverage:
    """Read what stands, and what this process's login may do."""
    with connection.cursor() as cursor:
        return read_coverage(cursor)
