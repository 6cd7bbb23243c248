"""Leaves that were changed, cut, dropped, swapped, doubled, inserted or all rewritten: the first bad one is named."""

import base64
import json
from typing import Any

import pytest

from audit.log.leaves import FIELDS, leaf_bytes, written
from kernel.signed_notes import read_note
from tests.support.audit_logs import ORIGIN, SIGNER, MadeLog, entries, entry, flipped, verdict
from tests.support.audit_tampering import (
    BAD,
    OTHER_KEY,
    SIZE,
    Tamperings,
    kept,
    rewrite,
    spread,
)

TAMPERINGS = Tamperings()


# ---- bits of a leaf


@pytest.mark.parametrize("name", FIELDS)
def test_one_bit_of_any_field(log: MadeLog, name: str) -> None:
    value = written(entry(BAD)[name])
    at = log.leaves[BAD].index(b'"%s":%s' % (name.encode(), value)) + len(name) + 3
    at += max(place for place, letter in enumerate(value) if chr(letter).isalnum())
    log.leaves[BAD] = flipped(log.leaves[BAD], at)
    spread(log)
    found = verdict(log)
    kinds = {"n": "number", "v": "form", "at": "form", "log": "log"}
    assert (found["ok"], found["first_bad"]["n"], found["first_bad"]["kind"]) == (False, BAD, kinds.get(name, "leaf"))


@pytest.mark.parametrize("name", FIELDS)
def test_any_field_with_the_database_s_rights_and_everything_computed_anew(log: MadeLog, name: str) -> None:
    changed = {**entry(BAD), name: {"n": 301, "v": 2, "at": "2026-11-30T00:00:00.000000Z"}.get(name, "changed")}
    log.leaves[BAD] = json.dumps(changed, separators=(",", ":"), sort_keys=True).encode()
    since = [kept(log)]
    rewrite(log)
    found = verdict(log, since=since)
    kinds = {"n": "number", "v": "form", "log": "log"}
    assert found["first_bad"]["kind"] == kinds.get(name, "root")
    assert found["first_bad"]["n"] == (BAD if name in kinds else 256), "nothing vouches for what is after the kept one"


@TAMPERINGS.found(BAD, "form")
def a_field_taken_away(log: MadeLog) -> None:
    log.leaves[BAD] = log.leaves[BAD].replace(b'"outcome":"done",', b"")
    spread(log)


@TAMPERINGS.found(BAD, "form")
def a_field_added(log: MadeLog) -> None:
    log.leaves[BAD] = log.leaves[BAD][:-1] + b',"w":1}'
    spread(log)


@TAMPERINGS.found(BAD, "form")
def a_key_that_stands_twice_and_is_signed(log: MadeLog) -> None:
    log.leaves[BAD] = log.leaves[BAD][:-1] + b',"outcome":"refused"}'
    rewrite(log, SIGNER)


@TAMPERINGS.found(BAD, "form")
def a_leaf_made_empty(log: MadeLog) -> None:
    log.leaves[BAD] = b""
    spread(log)


@TAMPERINGS.found(BAD, "form")
def a_time_that_is_not_of_utc(log: MadeLog) -> None:
    log.leaves[BAD] = log.leaves[BAD].replace(b'Z"', b'+02:00"')
    rewrite(log, SIGNER)


# ---- leaves cut, dropped, swapped, doubled, inserted


@TAMPERINGS.found(SIZE - 1, "bundle")
def the_last_leaf_cut_off(log: MadeLog) -> None:
    path = "tile/entries/002.p/88"
    log.files[path] = log.files[path][: -2 - len(log.leaves[-1])]


@TAMPERINGS.found(SIZE - 1, "bundle")
def the_last_byte_cut_off(log: MadeLog) -> None:
    log.files["tile/entries/002.p/88"] = log.files["tile/entries/002.p/88"][:-1]


@TAMPERINGS.found(512, "missing")
def the_last_bundle_taken_away(log: MadeLog) -> None:
    del log.files["tile/entries/002.p/88"]


@TAMPERINGS.found(256, "missing")
def a_bundle_in_the_middle_taken_away(log: MadeLog) -> None:
    del log.files["tile/entries/001"]


@TAMPERINGS.found(500, "shrunk")
def the_tail_cut_off_with_all_that_tells_of_it(log: MadeLog) -> dict[str, Any]:
    since = [log.checkpoint()]
    log.leaves = log.leaves[:500]
    log.write()
    assert verdict(log)["ok"], "it is a whole log, of an earlier day"
    return {"since": since}


@TAMPERINGS.found(BAD, "number")
def a_leaf_dropped(log: MadeLog) -> None:
    del log.leaves[BAD]
    log.leaves.append(log.leaves[-1])
    spread(log)


@TAMPERINGS.found(BAD, "number")
def a_leaf_dropped_and_everything_computed_anew(log: MadeLog) -> None:
    del log.leaves[BAD]
    rewrite(log, SIGNER)


@TAMPERINGS.found(256, "root")
def a_leaf_dropped_and_the_rest_numbered_anew(log: MadeLog) -> dict[str, Any]:
    since = [kept(log)]
    log.leaves = [leaf_bytes(entry(n, action=f"a{n + (n >= BAD)}")) for n in range(SIZE)]
    log.leaves[:BAD] = entries(BAD)
    rewrite(log)
    return {"since": since}


@TAMPERINGS.found(BAD, "number")
def two_leaves_swapped(log: MadeLog) -> None:
    log.leaves[BAD : BAD + 2] = log.leaves[BAD : BAD + 2][::-1]
    spread(log)


@TAMPERINGS.found(5, "number")
def two_leaves_of_different_bundles_swapped(log: MadeLog) -> None:
    log.leaves[5], log.leaves[BAD] = log.leaves[BAD], log.leaves[5]
    spread(log)


@TAMPERINGS.found(BAD, "number")
def two_leaves_swapped_and_signed(log: MadeLog) -> None:
    log.leaves[BAD : BAD + 2] = log.leaves[BAD : BAD + 2][::-1]
    rewrite(log, SIGNER)


@TAMPERINGS.found(BAD + 1, "number")
def a_leaf_doubled(log: MadeLog) -> None:
    log.leaves[BAD + 1] = log.leaves[BAD]
    spread(log)


@TAMPERINGS.found(BAD + 1, "number")
def a_leaf_doubled_and_signed(log: MadeLog) -> None:
    log.leaves.insert(BAD, log.leaves[BAD])
    rewrite(log, SIGNER)


@TAMPERINGS.found(BAD, "leaf")
def a_leaf_inserted(log: MadeLog) -> None:
    log.leaves.insert(BAD, leaf_bytes(entry(BAD, action="invented")))
    log.leaves.pop()
    spread(log)


@TAMPERINGS.found(BAD, "history")
def a_leaf_inserted_by_the_key_s_owner(log: MadeLog) -> dict[str, Any]:
    since = [log.checkpoint(BAD), log.checkpoint(500)]
    log.leaves = entries(BAD) + [leaf_bytes(entry(n, action=f"a{n}")) for n in range(BAD, SIZE + 1)]
    rewrite(log, SIGNER)
    assert verdict(log)["ok"], "without the kept checkpoint nobody can tell"
    return {"since": since}


@TAMPERINGS.found(SIZE, "bundle")
def a_leaf_behind_the_last(log: MadeLog) -> None:
    log.files["tile/entries/002.p/88"] += b"\x00\x02{}"


@TAMPERINGS.found(256, "bundle")
def a_leaf_behind_a_full_bundle(log: MadeLog) -> None:
    log.files["tile/entries/000"] += b"\x00\x02{}"


@TAMPERINGS.found(256, "form")
def one_bit_of_a_leaf_s_length(log: MadeLog) -> None:
    log.files["tile/entries/001"] = flipped(log.files["tile/entries/001"], 1)


@TAMPERINGS.found(0, "number")
def two_bundles_swapped(log: MadeLog) -> None:
    one, other = "tile/entries/000", "tile/entries/001"
    log.files[one], log.files[other] = log.files[other], log.files[one]


# ---- the whole log


@TAMPERINGS.found(0, "signature")
def all_rewritten_and_signed_with_another_key_under_the_log_s_name_and_id(log: MadeLog) -> None:
    log.leaves = entries(SIZE, actor="nobody")
    rewrite(log)
    id_of_ours = read_note(log.files["checkpoint"]).signatures[0].line.split(" ")[2][:5]
    forged = log.checkpoint(signer=OTHER_KEY)
    encoded = base64.b64decode(forged.split("\n")[4].split(" ")[2])
    ours = base64.b64decode(log.files["checkpoint"].decode().split("\n")[4].split(" ")[2])[:4]
    line = f"— {ORIGIN} {base64.b64encode(ours + encoded[4:]).decode()}"
    assert line.split(" ")[2][:5] == id_of_ours
    log.files["checkpoint"] = "\n".join([*forged.split("\n")[:4], line, ""]).encode()


@TAMPERINGS.found(0, "key")
def all_rewritten_and_signed_with_another_key(log: MadeLog) -> None:
    log.leaves = entries(SIZE, actor="nobody")
    rewrite(log, OTHER_KEY)


@TAMPERINGS.found(0, "root")
def all_rewritten_with_the_database_s_rights(log: MadeLog) -> None:
    log.leaves = entries(SIZE, actor="nobody")
    rewrite(log)


@TAMPERINGS.found(0, "history")
def all_rewritten_by_the_key_s_owner(log: MadeLog) -> dict[str, Any]:
    since = [kept(log)]
    log.leaves = entries(SIZE, actor="nobody")
    rewrite(log, SIGNER)
    return {"since": since}


@TAMPERINGS.found(0, "key")
def signed_with_a_key_that_the_auditor_does_not_know(log: MadeLog) -> dict[str, Any]:
    return {"key": OTHER_KEY.verifier.text}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_it_is_found_and_the_first_bad_leaf_named(log: MadeLog, name: str) -> None:
    TAMPERINGS.judge(name, log)


def test_there_are_fifty_kinds_and_more() -> None:
    assert len(TAMPERINGS) + 2 * len(FIELDS) > 50
