"""A leaf is the canonical form of every field; long values and persons' data stand in it by their hashes."""

import hashlib
import json
import math
from typing import Any

import pytest

from audit.log.leaves import FIELDS, MAX_VALUE_BYTES, LeafRefused, commitment, digest, entry_line, leaf_bytes, written

ENTRY: dict[str, Any] = {
    "v": 1,
    "n": 7,
    "log": "audit.example/acme",
    "id": "0193d2f1-8f4e-7c11-a0a0-000000000007",
    "at": "2026-12-01T09:30:00.000000Z",
    "action": "segment.saved",
    "actor": "key:abc",
    "object_type": "segment",
    "object_id": "zoë",
    "before": None,
    "after": {"revision": 2, "name": "A"},
    "outcome": "done",
    "request_id": "r-1",
    "source": None,
}


def test_it_is_canonical_json_of_every_field() -> None:
    assert (
        leaf_bytes(ENTRY)
        == (
            '{"action":"segment.saved","actor":"key:abc","after":{"name":"A","revision":2},'
            '"at":"2026-12-01T09:30:00.000000Z","before":null,"id":"0193d2f1-8f4e-7c11-a0a0-000000000007",'
            '"log":"audit.example/acme","n":7,"object_id":"zoë","object_type":"segment","outcome":"done",'
            '"request_id":"r-1","source":null,"v":1}'
        ).encode()
    )
    assert leaf_bytes(dict(reversed(ENTRY.items()))) == leaf_bytes(ENTRY)


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_that_is_missing_is_refused_and_another_value_makes_another_leaf(name: str) -> None:
    with pytest.raises(LeafRefused):
        leaf_bytes({key: value for key, value in ENTRY.items() if key != name})
    if name != "v":
        assert leaf_bytes({**ENTRY, name: "other"}) != leaf_bytes(ENTRY)


@pytest.mark.parametrize("flaw", [{"more": 1}, {"v": 2}, {"object_id": "\ud800"}, {"n": 10**30}])
def test_what_has_no_one_form_is_refused(flaw: dict[str, Any]) -> None:
    assert leaf_bytes(ENTRY)
    with pytest.raises(LeafRefused):
        leaf_bytes({**ENTRY, **flaw})


@pytest.mark.parametrize("name", ["before", "after"])
@pytest.mark.parametrize(
    ("value", "text"), [({"b": 2**60, "a": 1.5}, '{"a":1.5,"b":1152921504606846976}'), (math.nan, "NaN")]
)
def test_a_value_that_has_no_canonical_form_goes_in_as_its_text(name: str, value: Any, text: str) -> None:
    assert json.loads(leaf_bytes({**ENTRY, name: value}))[name] == text
    assert written(value) == json.dumps(text).encode()


@pytest.mark.parametrize("name", ["before", "after"])
def test_a_long_value_goes_in_by_its_digest(name: str) -> None:
    fits, long = "x" * (MAX_VALUE_BYTES - 2), "x" * (MAX_VALUE_BYTES - 1)
    assert json.loads(leaf_bytes({**ENTRY, name: fits}))[name] == fits
    written = json.dumps(long).encode()
    expected = {"sha256": hashlib.sha256(written).hexdigest(), "bytes": MAX_VALUE_BYTES + 1}
    assert json.loads(leaf_bytes({**ENTRY, name: long}))[name] == expected == digest(long)


def test_what_looks_like_a_digest_in_a_leaf_is_one() -> None:
    looks = digest("x" * 50_000)
    assert json.loads(leaf_bytes({**ENTRY, "after": looks}))["after"] == digest(looks) != looks


def test_both_values_and_the_rest_at_their_longest_fit_into_a_leaf() -> None:
    longest = "\x01" * 200  # six bytes each in JSON
    values = dict.fromkeys(("before", "after"), "x" * (MAX_VALUE_BYTES - 2))
    words = {"actor": longest, "object_id": longest, "action": longest[:64], "object_type": longest[:64]}
    fields = {**ENTRY, **values, **words, "outcome": longest[:32], "request_id": longest[:64], "log": "a" * 2_000}
    assert len(leaf_bytes(fields)) < 65_536
    with pytest.raises(LeafRefused, match="65,535"):
        leaf_bytes({**fields, "log": "a" * 20_000})


def test_a_commitment_is_the_hash_of_salt_and_value() -> None:
    salt = bytes(range(16))
    assert commitment(salt, "Zoë") == "sha256:" + hashlib.sha256(salt + "Zoë".encode()).hexdigest()
    assert commitment(salt, "Zoë") != commitment(bytes(16), "Zoë")
    with pytest.raises(ValueError, match="at least 16"):
        commitment(salt[:15], "Zoë")


def test_the_line_of_an_entry_has_its_leaf_and_what_stands_in_it_by_a_hash() -> None:
    leaf = leaf_bytes(ENTRY)
    assert entry_line(leaf) == b'{"leaf":' + leaf + b"}\n"
    line = entry_line(leaf, long={"aa": '{"a":1}'}, personal={"sha256:bb": "erased"})
    beside = {"long": {"aa": '{"a":1}'}, "personal": {"sha256:bb": "erased"}}
    assert json.loads(line) == {"leaf": json.loads(leaf), **beside}
