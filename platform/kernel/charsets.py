"""Decode text that other servers send: the charsets that are read, and what is read without one.

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
_CODE_PAGES_OF_DOS: Final = (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869)
_NAMES: Final[dict[str, str]] = {
    "utf-8-sig": "utf8 utf8sig unicode11utf8",
    "utf-16": "utf16 ucs2 iso10646ucs2 unicode",
    "utf-16-le": "utf16le unicodefffe",
    "utf-16-be": "utf16be unicodefeff",
    "utf-32": "utf32 ucs4 iso10646ucs4",
    "utf-32-le": "utf32le",
    "utf-32-be": "utf32be",
    "ascii": "ascii usascii us iso646us ansix341968 ansix341986",
    "iso8859-1": "cp819 ibm819 l1 iso885911987",
    "iso8859-8": "iso88598i iso88598e logical visual",
    "cp874": "windows874 dos874",
    "tis-620": "tis620",
    "mac-roman": "macintosh mac macroman",
    "mac-cyrillic": "maccyrillic macukrainian",
    "mac-latin2": "macce maccentraleurope maclatin2",
    "koi8-r": "koi8r koi8 koi",
    "koi8-u": "koi8u koi8ru",
    "shift_jis": "shiftjis sjis mskanji",
    "cp932": "windows31j ms932 cp932 windows932 mscp932",
    "euc-jp": "eucjp eucpkdfmtjapanese",
    "iso2022-jp": "iso2022jp",
    "iso2022-jp-2": "iso2022jp1 iso2022jp2",
    "iso2022-kr": "iso2022kr",
    "gb18030": "gb18030 gb180302000 gb180302005 gb2312 gb231280 gbk chinese euccn cngb cp936 ms936 windows936",
    "hz": "hz hzgb2312",
    "big5hkscs": "big5 big5hkscs cnbig5 xbig5 cp950 ms950 windows950",
    "cp949": "euckr korean windows949 ms949 cp949 uhc ksc5601 ksc56011987 ksc56011989 ksx1001 isoir149",
    "johab": "johab cp1361 ms1361",
}
"""Codecs of Python, and the charsets that they read: in small letters, without what stands between, without ``x-``."""
_CODECS: Final[dict[str, str]] = {
    **{f"iso8859{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12},
    **{f"{name}{number}": f"iso8859-{part}" for number, part in _LATIN.items() for name in ("latin", "isolatin")},
    **{f"{name}125{page}": f"cp125{page}" for page in range(9) for name in ("windows", "win", "cp", "ms", "ansi")},
    **{f"{name}{page}": f"cp{page}" for page in _CODE_PAGES_OF_DOS for name in ("ibm", "cp", "dos")},
    **{name: codec for codec, names in _NAMES.items() for name in names.split()},
}
_BETWEEN: Final = re.compile(r"[^a-z0-9]")
_PREFIX: Final = re.compile(r"x-|cs")
_OF_SEVERAL_BYTES: Final = frozenset(
    (
        "shift_jis",
        "cp932",
        "euc-jp",
        "gb18030",
        "big5hkscs",
        "cp949",
        "johab",
        "iso2022-jp",
        "iso2022-jp-2",
        "iso2022-kr",
        "hz",
    )
)
_WITH_QUOTES: Final = {"iso8859-1": "cp1252", "iso8859-9": "cp1254"}
"""What is meant where there are bytes that are rare controls in the charset named: all browsers read it so."""
_RARE_CONTROLS: Final = re.compile(rb"[\x80-\x9f]")
_PRINTABLE: Final = bytes(byte for byte in range(128) if byte in b"\t\r\n" or byte >= 32)
_BEYOND_ASCII: Final = bytes(range(128, 256))
_MOSTLY: Final = 0.75
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (b"<\0?\0", "utf-16-le"),
    (b"\0<\0?", "utf-16-be"),
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
    name = label.lower()
    return _CODECS.get(_BETWEEN.sub("", name)) or _CODECS.get(_BETWEEN.sub("", _PREFIX.sub("", name, count=1)))


def mark_of(content: bytes) -> str | None:
    """Give the codec that a byte order mark names, or that XML without one begins in."""
    return next((codec for mark, codec in _MARKS if content.startswith(mark)), None)


def declared_in(content: bytes) -> str | None:
    """Give the charset an XML declaration or an HTML page's head names."""
    found = _IN_XML.match(content[:_LONGEST_DECLARATION]) or _IN_HTML.search(content[:_LONGEST_HEAD])
    return found[1].decode("ascii") if found else None


def decode(content: bytes, label: str | None, *, in_any_case: bool = False, may_declare: bool = True) -> str:
    """Read text.

    By its byte order mark, else in the charset it is said to have, or says itself that it has, where that is known and
    the bytes are of it; else as UTF-8, and last as windows-1252, which takes all bytes. A charset does not count that
    the bytes show to be wrong: of two or four bytes a letter where they are plain text, of one where they are UTF-8.

    Args:
        content: The text's bytes.
        label: The charset it is said to have, if any.
        in_any_case: Whether it is text for sure. If not, bytes that are not of a charset we know have to be UTF-8.
        may_declare: Whether it may be XML or HTML, which say themselves what they are.

    Raises:
        UnicodeDecodeError: It may be no text: it is not of the charset it is said to have, and not UTF-8.
    """
    declared = declared_in(content) if may_declare else None
    told = mark_of(content), *_labelled(content, label), *_declared(content, declared), "utf-8"
    for codec in told:
        if codec is not None:
            with suppress(UnicodeDecodeError):
                return content.decode(codec)
    says_nothing = label is not None and codec_of(label) is None
    if not (in_any_case or says_nothing or declared):
        return content.decode("utf-8")
    return content.decode("utf-8" if is_damaged_utf8(content) else "cp1252", errors="replace")


def is_damaged_utf8(content: bytes) -> bool:
    """Whether bytes that are not UTF-8 are so but for a few: more letters of several bytes are whole than are not."""
    text = content.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    whole = len(text) - damaged - len(content.translate(None, delete=_BEYOND_ASCII))
    return whole > damaged > 0


def _labelled(content: bytes, label: str | None) -> tuple[str, ...]:
    """Give the codecs of a charset that bytes are said to be of, none where they are not."""
    codec = codec_of(label) if label else None
    if codec is None:
        return ()
    if codec.startswith(WIDE):
        return () if _is_narrow(content) else _in_order(content, codec)
    if _is_rather_utf8(content, codec):
        return ()
    meant = _WITH_QUOTES.get(codec)
    return (meant, codec) if meant is not None and _RARE_CONTROLS.search(content) else (codec,)


def _declared(content: bytes, declared: str | None) -> tuple[str, ...]:
    """Give the codecs of a charset that bytes name themselves: as they could be read, it is none of wide letters."""
    wide = declared is not None and (codec_of(declared) or "").startswith(WIDE)
    return () if wide else _labelled(content, declared)


def _in_order(content: bytes, codec: str) -> tuple[str, ...]:
    """Give the codecs of wide letters in the order of bytes that their zeros show, else as they are named."""
    if codec.startswith("utf-32"):
        return (codec, "utf-32-le", "utf-32-be")
    first, second = content[:_LONGEST_HEAD:2].count(0), content[1:_LONGEST_HEAD:2].count(0)
    if first == second:
        return (codec,)
    return ("utf-16-be" if first > second else "utf-16-le", codec)


def _is_narrow(content: bytes) -> bool:
    """Whether bytes said to be of wide letters are plain text: without zeros, and UTF-8 or mostly ASCII."""
    if b"\0" in content:
        return False
    return _is_utf8(content) or len(content.translate(None, delete=_PRINTABLE)) < (1 - _MOSTLY) * len(content)


def _is_rather_utf8(content: bytes, codec: str) -> bool:
    """Whether bytes said to be of another charset are UTF-8: no text of a byte a letter looks so by chance."""
    if codec in ("utf-8-sig", "ascii") or content.isascii() or not _is_utf8(content):
        return False
    letters = len(content.decode()) - len(content.translate(None, delete=_BEYOND_ASCII))
    return codec not in _OF_SEVERAL_BYTES or letters > 1


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
