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


LABELS_OF_THE_FIELD = {
    "ks_c_5601-1987": "녹색", "ms949": "녹색", "x-windows-949": "녹색", "uhc": "녹색", "iso-2022-kr": "녹색",
    "x-gbk": "绿", "cp936": "绿", "gb_2312-80": "绿", "csGB2312": "绿", "hz-gb-2312": "绿", "x-x-big5": "綠",
    "ms950": "綠", "ms_kanji": "緑", "cp932": "緑", "x-euc-jp": "緑", "win-1251": "зелёный", "x-cp1251": "зелёный",
    "ibm866": "зелёный", "x-mac-cyrillic": "зелёный", "koi8-ru": "зелёный", "x-mac-roman": "grün", "ibm437": "grün",
    "cp850": "grün", "ibm852": "zelený", "iso_8859-1:1987": "grün", "l1": "grün", "csISOLatin1": "grün",
    "windows-1252": "grün €", "ucs-2": "green", "ansi_x3.4-1968": "green",
}  # fmt: skip


@pytest.mark.parametrize("label", LABELS_OF_THE_FIELD)
def test_charsets_are_known_by_the_names_that_servers_give_them(label: str) -> None:
    codec = codec_of(label)
    assert codec is not None
    assert label_of(f"text/plain; charset={label}") == label
    assert decode(LABELS_OF_THE_FIELD[label].encode(codec), label) == LABELS_OF_THE_FIELD[label]


XML = '<?xml version="1.0" encoding="{}"?><Order><Name>{}</Name></Order>'


@pytest.mark.parametrize("end", ["", " "])
@pytest.mark.parametrize("wrong", ["utf-16", "UTF-16LE", "ucs-2", "utf-32", "unicode"])
@pytest.mark.parametrize("name", ["Id", "grün", "緑"])
def test_text_that_can_be_read_is_of_no_wide_charset_it_claims(name: str, wrong: str, end: str) -> None:
    for text in (XML.format(wrong, name) + end, f"<meta charset={wrong}><p>{name}{end}", f"abcdef {name}{end}"):
        assert decode(text.encode(), None, in_any_case=True) == text
        assert decode(text.encode(), wrong, in_any_case=True) == text


@pytest.mark.parametrize("wrong", ["utf-16", "utf-16le"])
def test_latin_text_is_of_no_wide_charset_either(wrong: str) -> None:
    assert decode("Grüße aus Köln".encode("cp1252"), wrong, in_any_case=True) == "Grüße aus Köln"


@pytest.mark.parametrize("codec", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("label", ["utf-16", "utf-16le", "utf-16be"])
def test_wide_letters_are_read_in_the_order_that_their_zeros_show(label: str, codec: str) -> None:
    assert decode("grün, 緑".encode(codec), label) == "grün, 緑"
    text = XML.format("utf-16", "緑")
    assert decode(text.encode(codec), None) == text


@pytest.mark.parametrize(
    "wrong", ["iso-8859-1", "windows-1252", "windows-1251", "koi8-r", "shift_jis", "gbk", "euc-kr"]
)
def test_utf_8_under_another_label_is_utf_8(wrong: str) -> None:
    for text in ("Grüße aus Köln", "зелёный", "緑色です"):
        assert decode(text.encode(), wrong) == text


def test_quotes_of_windows_are_read_under_the_label_of_latin() -> None:
    for label in ("iso-8859-1", "latin1", "iso-8859-9"):
        assert decode("„grün“… 5 €".encode("cp1252"), label) == "„grün“… 5 €"
    assert decode("grün".encode("latin-1"), "iso-8859-1") == "grün"


def test_utf_8_with_a_letter_cut_off_stays_utf_8() -> None:
    assert decode("grün, зелёный".encode()[:-1], "utf-8", in_any_case=True) == "grün, зелёны\ufffd"
    assert decode("grün €".encode("cp1252"), "utf-8", in_any_case=True) == "grün €"
