"""Charsets that strangers name: those that are read, and those that say nothing."""

import codecs
import encodings.aliases
import time
from contextlib import suppress

import pytest

from kernel.charsets import codec_of, decode, label_of

TEXTS = {
    "utf-8": "grün, зелёный, 緑",
    "UTF_8": "grün",
    "utf-16": "緑",
    "utf-16le": "緑",
    "utf-32": "緑",
    "us-ascii": "green",
    "iso-8859-1": "grün",
    "latin1": "grün",
    "ISO-8859-5": "зелёный",
    "iso-8859-15": "grün €",
    "windows-1251": "зелёный",
    "windows-1252": "grün €",
    "koi8-r": "зелёный",
    "shift_jis": "緑",
    "euc-jp": "緑",
    "iso-2022-jp": "緑",
    "gb2312": "绿",
    "gbk": "绿",
    "gb18030": "绿",
    "big5": "綠",
    "euc-kr": "녹색",
}
REFUSED = [
    "punycode", "idna", "unicode_escape", "raw_unicode_escape", "rot13", "rot_13", "zip", "zlib_codec", "bz2", "hex",
    "base64", "quopri", "uu", "utf-7", "mbcs", "oem", "undefined", "unknown", "../../etc/passwd", "x" * 40, "aliases",
]  # fmt: skip


@pytest.mark.parametrize("label", TEXTS)
def test_text_is_read_in_the_charset_it_names(label: str) -> None:
    codec = codec_of(label)
    assert codec is not None
    assert decode(TEXTS[label].encode(codec), label) == TEXTS[label]
    assert label_of(f'text/plain; format=flowed; charset="{label}"') == label
    assert label_of(f"text/plain;CharSet={label};x=1") == label


@pytest.mark.parametrize("label", REFUSED)
def test_a_name_of_no_charset_says_nothing(label: str) -> None:
    assert codec_of(label) is None
    assert decode("grün".encode(), label) == "grün"
    assert decode(codecs.BOM_UTF8 + "grün".encode(), label).lstrip("\ufeff") == "grün"
    assert decode("緑".encode("utf-16"), label) == "緑"
    assert decode("grün €".encode("cp1252"), label) == "grün €"
    assert decode(bytes(range(128, 256)), label).startswith("€")
    assert decode(b"-" * 200_000 + b"a", label).endswith("-a")


def test_no_codec_is_taken_that_is_no_charset_of_text() -> None:
    taken = {codec_of(name) for name in {*encodings.aliases.aliases, *encodings.aliases.aliases.values()}} - {None}
    for codec in taken:
        found = codecs.lookup(str(codec))
        assert found._is_text_encoding  # type: ignore[attr-defined]
        assert not any(part in found.name for part in ("punycode", "idna", "escape", "utf-7", "undefined"))
    assert len(taken) > 30


def test_reading_takes_time_in_proportion_to_the_length() -> None:
    assert decode(b"a-" * 5 + b"99", "utf-8")
    for label in (*TEXTS, *REFUSED):
        started = time.thread_time()
        with suppress(UnicodeDecodeError):
            decode(b"a" * 1_000_000 + b"-" + b"9" * 1_000_000, label)
        assert time.thread_time() - started < 0.5, label


@pytest.mark.parametrize(("label", "content"), [("utf-8", b"\xff\xfe\xfd"), (None, b"\x81\x8d"), ("ascii", b"\xfc")])
def test_bytes_that_are_not_of_their_charset_are_not_guessed_at(label: str | None, content: bytes) -> None:
    assert decode(b"good", label) == "good"
    with pytest.raises(UnicodeDecodeError):
        decode(content, label)


def test_a_long_content_type_is_not_searched() -> None:
    assert label_of("text/plain; " + "x=1; " * 10 + "charset=utf-8") == "utf-8"
    started = time.thread_time()
    assert label_of("text/plain; " + "charset " * 100_000 + "=utf-8") is None
    assert time.thread_time() - started < 0.05
