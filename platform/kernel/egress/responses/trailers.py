"""Trailers of a chunked body, read in linear time; h11 alone takes quadratic time for a run of blanks."""

import re

from h11 import _readers

_FIELD = re.compile(
    rb"(?P<field_name>[-!#$%&'*+.^_`|~0-9A-Za-z]+):[ \t]*+(?P<field_value>(?:[^\x00\s]+(?:[ \t]+[^\x00\s]+)*)?)[ \t]*"
)


def patch_h11_fields() -> None:
    """Have h11 read fields by an expression for the same texts that gives no blank back; may be repeated."""
    _readers.header_field_re = _FIELD
