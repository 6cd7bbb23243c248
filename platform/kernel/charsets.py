"""Charsets of texts that strangers send: which are read, and how text is read without one.

Python knows codecs that are no charsets (``punycode``, ``unicode_escape``, ``zip``), some of which take the square of a
text's length, and imports a module for a name it does not know. So names are looked up here, never there.
"""

import codecs
import re
from typing import Final

_LABEL: Final = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:+-]{1,40})""", re.IGNORECASE)
_LONGEST_CONTENT_TYPE: Final = 1_000
_LATIN: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 9, 6: 10, 9: 15}
_CODECS: Final[dict[str, str]] = {
    "utf8": "utf-8-sig",
    "utf16": "utf-16",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "utf32": "utf-32",
    "utf32le": "utf-32-le",
    "utf32be": "utf-32-be",
    "ascii": "ascii",
    "usascii": "ascii",
    **{f"iso8859{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    **{
        f"latin{number}": f"iso8859-{part}"
        for number, part in ((1, 1), (2, 2), (3, 3), (4, 4), (5, 9), (6, 10), (9, 15))
    },
    **{f"windows125{page}": f"cp125{page}" for page in range(9)},
    **{f"cp125{page}": f"cp125{page}" for page in range(9)},
    "windows874": "cp874",
    "tis620": "tis-620",
    "macintosh": "mac-roman",
    "ibm866": "cp866",
    "cp866": "cp866",
    "koi8r": "koi8-r",
    "koi8u": "koi8-u",
    "shiftjis": "shift_jis",
    "sjis": "shift_jis",
    "xsjis": "shift_jis",
    "windows31j": "cp932",
    "eucjp": "euc-jp",
    "iso2022jp": "iso2022-jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "euckr": "cp949",
    "windows949": "cp949",
}
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
WIDE: Final = ("utf-16", "utf-32")
"""How the names of codecs begin whose text holds zero bytes."""


def label_of(content_type: str) -> str | None:
    """Read the charset a content type names; None where it names none."""
    found = _LABEL.search(content_type[:_LONGEST_CONTENT_TYPE])
    return found[1] if found else None


def codec_of(label: str) -> str | None:
    """Give Python's codec of a charset; None for one that is unknown, or no charset."""
    return _CODECS.get(label.lower().replace("-", "").replace("_", ""))


def mark_of(content: bytes) -> str | None:
    """Give the codec that a byte order mark names."""
    return next((codec for mark, codec in _MARKS if content.startswith(mark)), None)


def decode(content: bytes, label: str | None) -> str:
    """Read text.

    A charset that is unknown says nothing: then a byte order mark counts, then UTF-8 where the bytes are that, then
    windows-1252, which takes all bytes.

    Args:
        content: The text's bytes.
        label: The charset it is said to have, if any.

    Raises:
        UnicodeDecodeError: The bytes are not of the known charset that is named; or none is named, and they are neither
            UTF-8 nor begin with a mark.
    """
    codec = codec_of(label) if label is not None else None
    if codec is not None:
        return content.decode(codec)
    try:
        return content.decode(mark_of(content) or "utf-8")
    except UnicodeDecodeError:
        if label is None:
            raise
        return content.decode("cp1252", errors="replace")
