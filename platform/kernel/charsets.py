"""Charsets of texts that strangers send: which are read, and how text is read without one.

Python knows codecs that are no charsets (``punycode``, ``unicode_escape``, ``zip``), some of which take the square of a
text's length, and imports a module for a name it does not know. So names are looked up here, never there.
"""

import codecs
import re
from contextlib import suppress
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
_IN_XML: Final = re.compile(rb"""\s*<\?xml\s[^>]*?encoding\s*=\s*["']([A-Za-z0-9._:+-]{1,40})""", re.IGNORECASE)
_IN_HTML: Final = re.compile(rb"""<meta\s[^>]*?charset\s*=\s*["']?([A-Za-z0-9._:+-]{1,40})""", re.IGNORECASE)
_LONGEST_DECLARATION: Final = 200
_LONGEST_HEAD: Final = 1_024
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


def declared_in(content: bytes) -> str | None:
    """Give the charset an XML declaration or an HTML page's head names."""
    found = _IN_XML.match(content[:_LONGEST_DECLARATION]) or _IN_HTML.search(content[:_LONGEST_HEAD])
    return found[1].decode("ascii") if found else None


def decode(content: bytes, label: str | None, *, in_any_case: bool = False) -> str:
    """Read text.

    By its byte order mark, else in the charset it is said to have, or says itself that it has, where that is known and
    the bytes are of it; else as UTF-8, and last as windows-1252, which takes all bytes.

    Args:
        content: The text's bytes.
        label: The charset it is said to have, if any.
        in_any_case: Whether it is text for sure. If not, bytes that are not of a charset we know have to be UTF-8.

    Raises:
        UnicodeDecodeError: It may be no text: it is not of the charset it is said to have, and not UTF-8.
    """
    declared = declared_in(content)
    for codec in (mark_of(content), _known(label), _known(declared), "utf-8"):
        if codec is not None:
            with suppress(UnicodeDecodeError):
                return content.decode(codec)
    says_nothing = label is not None and codec_of(label) is None
    if not (in_any_case or says_nothing or declared):
        return content.decode("utf-8")
    return content.decode("cp1252", errors="replace")


def _known(label: str | None) -> str | None:
    return codec_of(label) if label else None
