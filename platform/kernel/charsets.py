"""Charset list: names that are decoded, and the charset of text that names none.

Python knows codecs that are no charsets (``punycode``, ``unicode_escape``, ``zip``), some of which take the square of a
text's length, and imports a module for a name it does not know. So names are looked up here, never there.
"""

import codecs
import re
from contextlib import suppress
from typing import Final

_LABEL: Final = re.compile(r"""charset\s*=\s*["']?([A-Za-z0-9._:+-]{1,40})""", re.IGNORECASE)
_MAX_CONTENT_TYPE_LENGTH: Final = 1_000
_LATIN: Final = {1: 1, 2: 2, 3: 3, 4: 4, 5: 9, 6: 10, 9: 15}
_EBCDIC: Final = ("037", "273", "424", "500", "875", "1026", "1140")
_CODE_PAGES_OF_DOS: Final = (437, 720, 737, 775, 850, 852, 855, 857, 858, 860, 861, 862, 863, 864, 865, 866, 869)
_NAMES: Final[dict[str, str]] = {
    "utf-8-sig": "utf8 utf8sig unicode11utf8 unicode20utf8",
    "utf-16": "utf16 ucs2 iso10646ucs2 unicode",
    "utf-16-le": "utf16le unicodefeff",
    "utf-16-be": "utf16be unicodefffe",
    "utf-32": "utf32 ucs4 iso10646ucs4",
    "utf-32-le": "utf32le",
    "utf-32-be": "utf32be",
    "ascii": "ascii usascii us iso646us ansix341968 ansix341986",
    "iso8859-1": "cp819 ibm819 isoir100",
    "iso8859-2": "isoir101",
    "iso8859-3": "isoir109",
    "iso8859-4": "isoir110",
    "iso8859-5": "isolatincyrillic cyrillic isoir144",
    "iso8859-6": "arabic asmo708 ecma114 isolatinarabic isoir127 iso88596e iso88596i",
    "iso8859-7": "greek greek8 ecma118 elot928 suneugreek isolatingreek isoir126",
    "iso8859-8": "hebrew isolatinhebrew isoir138 iso88598i iso88598e logical visual",
    "iso8859-9": "isoir148",
    "iso8859-10": "isoir157",
    "cp874": "windows874 dos874",
    "tis-620": "tis620",
    "mac-roman": "macintosh mac macroman",
    "mac-cyrillic": "maccyrillic macukrainian",
    "mac-latin2": "macce maccentraleurope maclatin2",
    "koi8-r": "koi8r koi8 koi",
    "koi8-u": "koi8u koi8ru",
    "cp866": "866",
    "cp932": "shiftjis sjis mskanji windows31j ms932 cp932 windows932 mscp932",
    "euc-jp": "eucjp eucpkdfmtjapanese eucjpms cp51932",
    "iso2022-jp": "iso2022jp",
    "iso2022-jp-2": "iso2022jp1 iso2022jp2",
    "iso2022-kr": "iso2022kr",
    "gb18030": "gb18030 gb180302000 gb180302005 gb2312 gb231280 iso58gb231280 isoir58 "
    "gbk chinese euccn cngb cp936 ms936 windows936",
    "hz": "hz hzgb2312",
    "big5hkscs": "big5 big5hkscs cnbig5 xbig5 cp950 ms950 windows950",
    "cp949": "euckr korean windows949 ms949 cp949 uhc ksc5601 ksc56011987 ksc56011989 ksx1001 isoir149",
    "johab": "johab cp1361 ms1361",
}
"""Codecs of Python, and the charsets that they read: in small letters, without what stands between, without ``x-``."""
_CODECS: Final[dict[str, str]] = {
    **{f"{name}{part}": f"iso8859-{part}" for part in range(1, 17) if part != 12 for name in ("iso8859", "8859")},
    **{f"iso8859{part}{year}": f"iso8859-{part}" for part in range(1, 10) for year in (1987, 1988, 1989)},
    **{f"{name}{number}": f"iso8859-{part}" for number, part in _LATIN.items() for name in ("latin", "isolatin", "l")},
    **{f"{name}{page}": f"cp{page}" for page in _EBCDIC for name in ("ibm", "cp")},
    **{f"{name}125{page}": f"cp125{page}" for page in range(9) for name in ("windows", "win", "cp", "ms", "ansi")},
    **{f"{name}{page}": f"cp{page}" for page in _CODE_PAGES_OF_DOS for name in ("ibm", "cp", "dos")},
    **{name: codec for codec, names in _NAMES.items() for name in names.split()},
}
_BETWEEN: Final = re.compile(r"[^a-z0-9]")
_PREFIX: Final = re.compile(r"x-|cs")
_OF_SEVERAL_BYTES: Final = frozenset(
    (
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
"""Charsets that are meant where there are bytes that are rare controls in the one named: all browsers read it so."""
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
_MAX_DECLARATION_LENGTH: Final = 200
_MAX_HEAD_LENGTH: Final = 1_024
_WIDER: Final = {"euc-jp": "llmteam.wider", "iso2022-jp": "llmteam.wider", "big5hkscs": "llmteam.wider"}
"""Codecs for letters that one of Python's does not have, and browsers and Windows have under the same name."""
_CELLS: Final = 94
_CELLS_BELOW: Final = 63
_ROWS_BELOW: Final = 62
_FOLLOWS: Final = 0x80
_LEAD_OF_TWO: Final = 0xC0
_BYTES_OF: Final = {0xC: 2, 0xD: 2, 0xE: 3, 0xF: 4}
WIDE: Final = ("utf-16", "utf-32")
"""Beginnings of the names of codecs whose text holds zero bytes."""


def label_of(content_type: str) -> str | None:
    """Read the charset a content type names; None where it names none."""
    found = _LABEL.search(content_type[:_MAX_CONTENT_TYPE_LENGTH])
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
    found = _IN_XML.match(content[:_MAX_DECLARATION_LENGTH]) or _IN_HTML.search(content[:_MAX_HEAD_LENGTH])
    return found[1].decode("ascii") if found else None


def declared_by(text: str, *, is_html: bool = False) -> str | None:
    """Give the charset that text which is to be sent names itself: in an XML declaration, of HTML in its head as well.

    HTML that names wide letters means UTF-8, as it has to be read before its head is (WHATWG, 4.2.5.4).
    """
    content = text[:_MAX_HEAD_LENGTH].encode(errors="replace")
    found = _IN_XML.match(content[:_MAX_DECLARATION_LENGTH])
    if found is None and is_html:
        found = _IN_HTML.search(content)
    label = found[1].decode("ascii") if found else None
    return "utf-8" if label and is_html and (codec_of(label) or "").startswith(WIDE) else label


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
    codecs = mark_of(content), *_labelled(content, label), *_declared(content, declared), "utf-8"
    for codec in codecs:
        if codec is not None:
            with suppress(UnicodeDecodeError):
                return content.decode(codec, _WIDER.get(codec, "strict"))
    says_nothing = label is not None and codec_of(label) is None
    if not (in_any_case or says_nothing or declared):
        return content.decode("utf-8")
    return content.decode("utf-8" if is_damaged_utf8(content) else "cp1252", errors="replace")


def is_damaged_utf8(content: bytes) -> bool:
    """Whether bytes that are not UTF-8 are so but for a few: more letters of several bytes are whole than are not.

    One that is cut at the end counts for nothing.
    """
    length = len(content)
    content = content[: length - _cut_at_the_end(content)]
    text = content.decode("utf-8", errors="replace")
    damaged = text.count("\ufffd")
    whole = len(text) - damaged - len(content.translate(None, delete=_BEYOND_ASCII))
    return whole > damaged and (damaged > 0 or len(content) < length)


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
    first, second = content[:_MAX_HEAD_LENGTH:2].count(0), content[1:_MAX_HEAD_LENGTH:2].count(0)
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


def _cut_at_the_end(content: bytes) -> int:
    """Count the bytes at the end that begin a letter of UTF-8 and do not finish it."""
    for count in range(1, min(3, len(content)) + 1):
        lead = content[-count]
        if lead >= _LEAD_OF_TWO:
            return count if count < _BYTES_OF[lead >> 4] else 0
        if lead < _FOLLOWS:
            break
    return 0


def _wider(error: UnicodeError) -> tuple[str, int]:
    """Read two bytes that a codec does not know: of Japanese as cp932 has the row and cell, of Big5 as cp950."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    pair = error.object[error.start : error.start + 2]
    with suppress(UnicodeDecodeError):
        if error.encoding.startswith("big5"):
            return pair.decode("cp950"), error.start + len(pair)
        offset = 0x20 if error.encoding.startswith("iso2022") else 0xA0
        if len(pair) == 2 and all(0 < byte - offset <= _CELLS for byte in pair):
            return _in_cp932(pair[0] - offset, pair[1] - offset), error.start + 2
    raise error


def _in_cp932(row: int, cell: int) -> str:
    """Read a letter by its row and cell, from 1."""
    lead = (row - 1) // 2 + (0x81 if row <= _ROWS_BELOW else 0xC1)
    trail = cell + 0x9E if row % 2 == 0 else cell + (0x3F if cell <= _CELLS_BELOW else 0x40)
    return bytes((lead, trail)).decode("cp932")


codecs.register_error("llmteam.wider", _wider)
