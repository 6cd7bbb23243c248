"""What enters the platform as a value, and what is refused at the door."""

import enum
import json
from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import example, given
from hypothesis import strategies as st

from kernel.canonical import canonical_json, content_hash
from kernel.errors import Invalid, Malformed
from kernel.values import (
    MAX_VALUE_BYTES,
    MalformedJson,
    ValueRefused,
    ValueTooLarge,
    check_size,
    dump_json,
    load_json,
    normalise,
    parse_json,
    pointer_of,
    size_of,
)
from tests.support.best_tries import quick_once

SAFE = 2**53
texts = st.text(alphabet=st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-SAFE, max_value=SAFE)
    | st.floats(allow_nan=False, allow_infinity=False)
    | texts
)
plain_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=20
)


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


def code_of(error: pytest.ExceptionInfo[Any]) -> str:
    return str(error.value.errors[0].code)


@given(plain_values)
def test_a_plain_value_is_kept_as_it_is(value: Any) -> None:
    assert normalise(value) == value
    assert parse_json(json.dumps(value)) == value
    assert parse_json(dump_json(value)) == value


@given(plain_values)
def test_a_copy_has_the_types_of_the_value(value: Any) -> None:
    assert repr(normalise(value)) == repr(value)


def test_a_copy_shares_nothing_with_the_value() -> None:
    value: Any = {"rows": [{"n": 1}]}
    copy = normalise(value)
    value["rows"][0]["n"] = 2
    assert copy == {"rows": [{"n": 1}]}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a": 1, "a": 2}', "DUPLICATE_KEY"),
        ('[{"x": {"b": 1, "c": 1, "b": 1}}]', "DUPLICATE_KEY"),
        ("NaN", "NOT_FINITE"),
        ("[Infinity]", "NOT_FINITE"),
        ("[-Infinity]", "NOT_FINITE"),
        ("1e999", "NOT_FINITE"),
        ("", "INVALID_SYNTAX"),
        ("[1,]", "INVALID_SYNTAX"),
        ("{'a': 1}", "INVALID_SYNTAX"),
        ("[1] 2", "INVALID_SYNTAX"),
        ("01", "INVALID_SYNTAX"),
        ('"a\x00b"', "INVALID_SYNTAX"),
        ('"a\nb"', "INVALID_SYNTAX"),
        ('"\\x41"', "INVALID_SYNTAX"),
        (b"\xff", "INVALID_ENCODING"),
        (b'"\xed\xa0\x80"', "INVALID_ENCODING"),
        ('"\ud800"', "INVALID_ENCODING"),
        (nested(65), "TOO_DEEP"),
        (nested(5000), "TOO_DEEP"),
        ("[" * 100_000, "TOO_DEEP"),
        ('{"a":' * 5000, "TOO_DEEP"),
    ],
)
def test_text_that_is_not_our_json_is_malformed(text: str | bytes, code: str) -> None:
    assert parse_json('{"a": [1, 2.5, "x"], "b": null}') == {"a": [1, 2.5, "x"], "b": None}
    with pytest.raises(MalformedJson) as error:
        parse_json(text)
    assert code_of(error) == code
    assert isinstance(error.value, Malformed)
    assert error.value.status == 400


@pytest.mark.parametrize(
    ("text", "code", "pointer"),
    [
        ('{"a": ["\\u0000"]}', "NUL_CHARACTER", "/a/0"),
        ('{"a\\u0000": 1}', "NUL_CHARACTER", ""),
        ('["\\ud800"]', "LONE_SURROGATE", "/0"),
        ('["\\udc00\\ud800"]', "LONE_SURROGATE", "/0"),
        ('{"\\uDFFF": 1}', "LONE_SURROGATE", ""),
        ("9007199254740993", "INTEGER_TOO_LARGE", ""),
        ('{"a": [1, -9007199254740993]}', "INTEGER_TOO_LARGE", "/a/1"),
        ('{"a": [1, -9007199254740993.0]}', "INTEGER_TOO_LARGE", "/a/1"),
        ('{"a": [1e20, 123456789012345678e0]}', "INTEGER_TOO_LARGE", "/a/1"),
        ("12345678901234567.89", "INTEGER_TOO_LARGE", ""),
        ("1" + "0" * 20 + "." + "1" * 4300, "INTEGER_TOO_LARGE", ""),
        ("9" * 4301, "INTEGER_TOO_LARGE", None),
        ("9" * 6000, "INTEGER_TOO_LARGE", None),
    ],
)
def test_a_value_that_cannot_be_stored_is_refused(text: str, code: str, pointer: str | None) -> None:
    assert parse_json('["\\ud83d\\ude00", 9007199254740992]') == ["\U0001f600", SAFE]
    with pytest.raises(ValueRefused) as error:
        parse_json(text)
    assert code_of(error) == code
    assert error.value.errors[0].pointer == pointer
    assert isinstance(error.value, Invalid)
    assert (error.value.status, error.value.code) == (422, "VALUE_REFUSED")


def test_big_integers_are_kept_as_text_where_asked() -> None:
    text = "[12345678901234567890, -9007199254740993, 9007199254740992, 7, 1234567890.1234567890]"
    assert parse_json(text, big_integers="text") == [
        "12345678901234567890",
        "-9007199254740993",
        SAFE,
        7,
        1234567890.1234567890,
    ]
    assert normalise([2**60, -(2**53) - 1, SAFE], big_integers="text") == [str(2**60), str(-(2**53) - 1), SAFE]
    with pytest.raises(ValueRefused):
        parse_json("9" * 6000, big_integers="text")
    with pytest.raises(ValueRefused):
        normalise(10**5000, big_integers="text")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("9007199254740993.0", "9007199254740993"),
        ("-9007199254740993.00", "-9007199254740993"),
        ("9.007199254740993e15", "9007199254740993"),
        ("9007199254740993000000E-6", "9007199254740993"),
        ("123456789012345678e0", "123456789012345678"),
        ("123456789012345678901e5", "12345678901234567890100000"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("9007199254740991.7", "9007199254740991.7"),
        ("9007199254740992.0", 9007199254740992.0),
        ("18014398509481984.0", 2.0**54),
        ("1e20", 1e20),
        ("1.5e+300", 1.5e300),
        ("1.7976931348623157e308", 1.7976931348623157e308),
        ("3.141592653589793238", 3.141592653589793),
    ],
)
def test_no_number_beyond_2_to_the_53_becomes_another_however_it_is_written(written: str, kept: Any) -> None:
    text = '{"a": [@, 0.25]}'.replace("@", written)
    for value in (parse_json(text, big_integers="text"), load_json(text), load_json(text.encode("utf-16"))):
        assert value == {"a": [kept, 0.25]}
        assert type(value["a"][0]) is type(kept)


def test_nesting_of_64_passes_by_both_doors() -> None:
    value = parse_json(nested(64))
    assert normalise(value) == value
    with pytest.raises(ValueRefused) as error:
        normalise([value])
    assert code_of(error) == "TOO_DEEP"


def test_many_brackets_side_by_side_are_not_deep() -> None:
    text = "[" + ",".join(['{"a":"[[[{{"}'] * 500) + "]"
    assert len(parse_json(text)) == 500  # type: ignore[arg-type] # it is a list
    assert len(normalise(parse_json(text))) == 500  # type: ignore[arg-type] # it is a list


def test_a_byte_order_mark_is_skipped() -> None:
    assert parse_json(b"\xef\xbb\xbf[1]") == [1]


def test_hostile_text_costs_one_scan() -> None:
    hostile = ['"\\"' * 300_000, '["' + "\\" * 900_001, "[" * 1_000_000, '{"a":"' * 150_000]

    def refuse_all() -> None:
        for text in hostile:
            with pytest.raises(MalformedJson):
                parse_json(text)

    quick_once(refuse_all, seconds=2)


class Colour(enum.StrEnum):
    RED = "red"


@pytest.mark.parametrize(
    ("value", "code", "pointer"),
    [
        (float("nan"), "NOT_FINITE", ""),
        ({"a": [float("inf")]}, "NOT_FINITE", "/a/0"),
        ([1, (2,)], "NOT_JSON", "/1"),
        ({1, 2}, "NOT_JSON", ""),
        ({"a/b": {"~": b"x"}}, "NOT_JSON", "/a~1b/~0"),
        (datetime(2026, 1, 1, tzinfo=UTC), "NOT_JSON", ""),
        ({1: "x"}, "NOT_JSON", ""),
        (object(), "NOT_JSON", ""),
        (["\0"], "NUL_CHARACTER", "/0"),
        ({"\0": 1}, "NUL_CHARACTER", ""),
        (["\ud800"], "LONE_SURROGATE", "/0"),
        ({"\ud800": {"x": float("nan")}}, "LONE_SURROGATE", ""),
        (2**53 + 1, "INTEGER_TOO_LARGE", ""),
        ([2**70], "INTEGER_TOO_LARGE", "/0"),
    ],
)
def test_what_a_handler_may_not_return_is_refused_with_a_pointer(value: Any, code: str, pointer: str) -> None:
    assert normalise({"a": [None, True, 1, 2.5, "x"]}) == {"a": [None, True, 1, 2.5, "x"]}
    with pytest.raises(ValueRefused) as error:
        normalise(value)
    assert code_of(error) == code
    assert error.value.errors[0].pointer == pointer


def test_a_value_that_contains_itself_is_refused() -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(ValueRefused):
        normalise(value)


def test_subclasses_of_plain_types_become_plain() -> None:
    class Text(str):
        __slots__ = ()

    class Number(float):
        pass

    copy: Any = normalise(OrderedDict(a=Text("x"), b=Number(2.5), c=Colour.RED, d=None))
    assert copy == {"a": "x", "b": 2.5, "c": "red", "d": None}
    assert {type(item) for item in copy.values()} == {str, float, type(None)}
    assert type(copy) is dict


def test_text_null_is_not_mistaken_for_nan() -> None:
    assert normalise({"a": "null", "b": None}) == {"a": "null", "b": None}
    with pytest.raises(ValueRefused):
        normalise({"a": None, "b": float("nan")})


def test_an_error_shows_no_value_and_no_character_that_cannot_be_shown() -> None:
    with pytest.raises(ValueRefused) as error:
        normalise({"k\ud800" + "y" * 500: "secret\0"}, big_integers="text")
    shown = repr((error.value.detail, error.value.errors))
    assert "secret" not in shown
    shown.encode()
    with pytest.raises(ValueRefused) as error:
        normalise({"x" * 500: "secret\0"})
    assert "secret" not in repr(error.value.errors)
    assert len(error.value.errors[0].pointer or "") < 80


def test_a_value_over_one_mebibyte_is_too_large() -> None:
    fits = "x" * (MAX_VALUE_BYTES - 2)
    assert check_size(fits) == MAX_VALUE_BYTES == size_of(fits)
    with pytest.raises(ValueTooLarge) as error:
        check_size(fits + "x")
    assert error.value.code == "VALUE_TOO_LARGE"
    assert error.value.extra == {"size": MAX_VALUE_BYTES + 1, "limit": MAX_VALUE_BYTES}


def test_the_usual_value_is_normalised_in_microseconds() -> None:
    value = {"id": "A-1001", "customer": {"id": 17850, "name": "Smith & Söhne"}, "lines": [{"sku": "85123A", "qty": 6}]}
    best = quick_once(lambda: [normalise(value) for _ in range(1000)], seconds=1000 * 50e-6) / 1000
    print(f"normalise: {best * 1e6:.1f} us")


def test_pointers_are_escaped() -> None:
    assert pointer_of(["a/b", 0, "~x", ""]) == "/a~1b/0/~0x/"


def test_the_canonical_form_is_the_same_for_equal_values() -> None:
    assert canonical_json({"b": 1.0, "a": [1e21, "é"]}) == '{"a":[1e+21,"é"],"b":1}'.encode()
    assert content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1})
    assert content_hash({}) == "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_the_edge_of_the_safe_integers_has_a_canonical_form() -> None:
    assert canonical_json({"a": [SAFE, -SAFE, True]}) == b'{"a":[9007199254740992,-9007199254740992,true]}'


@example(-0.0)
@example({"b": "x:1.5", "a": [1e-7, 123456789012345, 1234567890123456]})
@example({"\x7f": '\x01\x1f\\"/', "": True})
@given(plain_values)
def test_the_canonical_form_is_that_of_rfc_8785(value: Any) -> None:
    stored = normalise(value)
    if SAFE not in map(abs, whole_numbers_in(stored)):
        assert canonical_json(stored) == rfc8785.dumps(stored)


def whole_numbers_in(value: Any) -> list[int]:
    if isinstance(value, dict):
        return whole_numbers_in(list(value.values()))
    if isinstance(value, list):
        return [number for one in value for number in whole_numbers_in(one)]
    return [value] if type(value) is int else []


@given(plain_values)
def test_every_value_that_may_be_stored_has_a_hash(value: Any) -> None:
    assert len(content_hash(normalise(value))) == 64
