"""Charsets by every label that browsers know, and letters that browsers read and a narrower codec does not."""

import pytest

from kernel.charsets import codec_of, decode

LABELS = """
    866 cp866 csibm866 ibm866 csisolatin2 iso-8859-2 iso-ir-101 iso8859-2 iso88592 iso_8859-2 iso_8859-2:1987 l2
    latin2 csisolatin3 iso-8859-3 iso-ir-109 iso8859-3 iso88593 iso_8859-3 iso_8859-3:1988 l3 latin3 csisolatin4
    iso-8859-4 iso-ir-110 iso8859-4 iso88594 iso_8859-4 iso_8859-4:1988 l4 latin4 csisolatincyrillic cyrillic
    iso-8859-5 iso-ir-144 iso8859-5 iso88595 iso_8859-5 iso_8859-5:1988 arabic asmo-708 csiso88596e csiso88596i
    csisolatinarabic ecma-114 iso-8859-6 iso-8859-6-e iso-8859-6-i iso-ir-127 iso8859-6 iso88596 iso_8859-6
    iso_8859-6:1987 csisolatingreek ecma-118 elot_928 greek greek8 iso-8859-7 iso-ir-126 iso8859-7 iso88597
    iso_8859-7 iso_8859-7:1987 sun_eu_greek csiso88598e csisolatinhebrew hebrew iso-8859-8 iso-8859-8-e iso-ir-138
    iso8859-8 iso88598 iso_8859-8 iso_8859-8:1988 visual csiso88598i iso-8859-8-i logical csisolatin6 iso-8859-10
    iso-ir-157 iso8859-10 iso885910 l6 latin6 iso-8859-13 iso8859-13 iso885913 iso-8859-14 iso8859-14 iso885914
    csisolatin9 iso-8859-15 iso8859-15 iso885915 iso_8859-15 l9 iso-8859-16 cskoi8r koi koi8 koi8-r koi8_r koi8-ru
    koi8-u csmacintosh mac macintosh x-mac-roman dos-874 iso-8859-11 iso8859-11 iso885911 tis-620 windows-874
    cp1250 windows-1250 x-cp1250 cp1251 windows-1251 x-cp1251 ansi_x3.4-1968 ascii cp1252 cp819 csisolatin1 ibm819
    iso-8859-1 iso-ir-100 iso8859-1 iso88591 iso_8859-1 iso_8859-1:1987 l1 latin1 us-ascii windows-1252 x-cp1252
    cp1253 windows-1253 x-cp1253 cp1254 csisolatin5 iso-8859-9 iso-ir-148 iso8859-9 iso88599 iso_8859-9
    iso_8859-9:1989 l5 latin5 windows-1254 x-cp1254 cp1255 windows-1255 x-cp1255 cp1256 windows-1256 x-cp1256
    cp1257 windows-1257 x-cp1257 cp1258 windows-1258 x-cp1258 x-mac-cyrillic x-mac-ukrainian chinese csgb2312
    csiso58gb231280 gb2312 gb_2312 gb_2312-80 gbk iso-ir-58 x-gbk gb18030 big5 big5-hkscs cn-big5 csbig5 x-x-big5
    cseucpkdfmtjapanese euc-jp x-euc-jp csiso2022jp iso-2022-jp csshiftjis ms932 ms_kanji shift-jis shift_jis sjis
    windows-31j x-sjis cseuckr csksc56011987 euc-kr iso-ir-149 korean ks_c_5601-1987 ks_c_5601-1989 ksc5601
    ksc_5601 windows-949 unicodefffe utf-16be csunicode iso-10646-ucs-2 ucs-2 unicode unicodefeff utf-16 utf-16le
    unicode-1-1-utf-8 unicode11utf8 unicode20utf8 utf-8 utf8 x-unicode20utf8 8859_2 ibm037 csiso2022kr hz-gb-2312
    iso-2022-kr
""".split()  # noqa: SIM905 - a list of words
OF_ONE_BYTE = {
    "866": "зелёный", "iso-ir-101": "źdźbło", "iso_8859-2:1987": "źdźbło", "l2": "źdźbło", "8859_2": "źdźbło",
    "l3": "ħafna", "l4": "ģimene", "l5": "yeşil", "l6": "ĩðš", "l9": "grün €", "csisolatincyrillic": "зелёный",
    "cyrillic": "зелёный", "iso-ir-144": "зелёный", "arabic": "أخضر", "asmo-708": "أخضر", "ecma-114": "أخضر",
    "greek": "πράσινο", "greek8": "πράσινο", "ecma-118": "πράσινο", "elot_928": "πράσινο", "sun_eu_greek": "πράσινο",
    "hebrew": "ירוק", "ibm037": "grün",
}  # fmt: skip


@pytest.mark.parametrize("label", LABELS)
def test_a_label_of_browsers_is_known(label: str) -> None:
    assert codec_of(label) is not None
    assert codec_of(label.upper()) == codec_of(label)


@pytest.mark.parametrize("label", OF_ONE_BYTE)
def test_a_label_names_its_charset(label: str) -> None:
    text = OF_ONE_BYTE[label]
    assert decode(text.encode(codec_of(label) or ""), label) == text
    assert decode(text.encode(codec_of(label) or ""), "utf-8", in_any_case=True) != text


@pytest.mark.parametrize("label", ["Shift_JIS", "sjis", "x-sjis", "MS_Kanji", "csShiftJIS", "windows-31j", "ms932"])
def test_japanese_of_windows_is_read_under_every_name_it_is_sent_by(label: str) -> None:
    text = "①㈱髙橋、緑"
    assert decode(text.encode("cp932"), label) == text
    assert decode(b'<meta charset="%s">' % label.encode() + text.encode("cp932"), None).endswith(text)
    page = b'<?xml version="1.0" encoding="%s"?><a>' % label.encode() + text.encode("cp932")
    assert decode(page, None).endswith(text)


@pytest.mark.parametrize(
    ("label", "content", "text"),
    [
        ("euc-jp", b"\xad\xa1\xad\xea\xce\xd0\x8f\xb0\xa1", "①㈱緑丂"),
        ("iso-2022-jp", b"a\x1b$B-!-jNP\x1b(Bb", "a①㈱緑b"),
        ("big5", "中文€".encode("cp950"), "中文€"),
        ("cp950", "中文€".encode("cp950"), "中文€"),
    ],
)
def test_letters_beyond_a_narrower_codec_are_read(label: str, content: bytes, text: str) -> None:
    assert decode(content, label) == text
    assert decode(content * 1_000, label) == text * 1_000
    with pytest.raises(UnicodeDecodeError):
        decode(content + b"\xff\xff", label)


def test_utf_8_that_is_cut_in_its_last_letter_is_utf_8() -> None:
    whole = "Größe 緑".encode()
    assert decode(whole, "utf-8", in_any_case=True) == "Größe 緑"
    for cut in (whole[:-1], whole[:-2]):
        assert decode(cut, "utf-8", in_any_case=True) == decode(cut, None, in_any_case=True) == "Größe \ufffd"
    assert decode("café".encode("cp1252"), "utf-8", in_any_case=True) == "café"
