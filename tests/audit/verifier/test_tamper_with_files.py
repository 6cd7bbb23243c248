"""Tiles, checkpoints, keys, clocks and lines that were changed, logs of other tenants: the first bad leaf is named."""

import base64
from collections.abc import Callable
from typing import Any

import pytest

from audit.log.checkpoints import Checkpoint, sign_checkpoint
from audit.log.leaves import commitment, digest, entry_line, leaf_bytes, written
from audit.log.tiles import bundle_bytes
from kernel.signed_notes import read_note, sign_note
from tests.support.audit_logs import ORIGIN, SIGNED_AT, SIGNER, MadeLog, entries, entry, flipped, verdict
from tests.support.audit_tampering import (
    BAD,
    GLOBEX,
    GLOBEX_KEY,
    SIZE,
    Tamperings,
    rewrite,
    spread,
)

TAMPERINGS = Tamperings()
SALT, LONG = bytes(range(16)), "x" * 40_000
PERSON = commitment(SALT, "zoe@acme.example")


# ---- tiles


@TAMPERINGS.found(BAD, "tile")
def one_bit_of_a_tile_of_leaves(log: MadeLog) -> None:
    log.files["tile/0/001"] = flipped(log.files["tile/0/001"], (BAD - 256) * 32 + 7, 3)


@TAMPERINGS.found(BAD, "leaf")
def one_bit_of_a_leaf_and_its_hash(log: MadeLog) -> None:
    log.leaves[BAD] = log.leaves[BAD].replace(b"done", b"dome")
    spread(log)
    log.files["tile/0/001"] = MadeLog(log.leaves).write().files["tile/0/001"]
    twin = log.files["tile/0/001"]
    log.files["tile/0/001"] = flipped(twin, (BAD - 256) * 32)


@TAMPERINGS.found(256, "leaf")
def a_leaf_changed_with_its_tile_but_not_the_one_above(log: MadeLog) -> None:
    log.leaves[BAD] = log.leaves[BAD].replace(b"done", b"dome")
    above = log.files["tile/1/000.p/2"]
    rewrite(log)
    log.files["tile/1/000.p/2"] = above


@TAMPERINGS.found(256, "tile")
def one_bit_of_a_tile_above(log: MadeLog) -> None:
    log.files["tile/1/000.p/2"] = flipped(log.files["tile/1/000.p/2"], 63, 7)


@TAMPERINGS.found(590, "tile")
def one_bit_of_the_partial_tile(log: MadeLog) -> None:
    log.files["tile/0/002.p/88"] = flipped(log.files["tile/0/002.p/88"], (590 - 512) * 32)


@TAMPERINGS.found(256, "tile")
def a_tile_cut_off(log: MadeLog) -> None:
    log.files["tile/0/001"] = log.files["tile/0/001"][:-32]


@TAMPERINGS.found(0, "tile")
def a_tile_with_half_a_hash_more(log: MadeLog) -> None:
    log.files["tile/0/000"] += bytes(16)


@TAMPERINGS.found(512, "missing")
def a_partial_tile_taken_away(log: MadeLog) -> None:
    del log.files["tile/0/002.p/88"]


@TAMPERINGS.found(0, "missing")
def the_tile_above_taken_away(log: MadeLog) -> None:
    del log.files["tile/1/000.p/2"]


@TAMPERINGS.found(0, "tile")
def two_tiles_swapped(log: MadeLog) -> None:
    one, other = "tile/0/000", "tile/0/001"
    log.files[one], log.files[other] = log.files[other], log.files[one]


# ---- the checkpoint


def with_lines(log: MadeLog, change: Callable[[list[str]], list[str]]) -> None:
    log.files["checkpoint"] = "\n".join(change(log.files["checkpoint"].decode().split("\n"))).encode()


@TAMPERINGS.found(0, "signature")
def a_larger_size_in_the_checkpoint(log: MadeLog) -> None:
    with_lines(log, lambda lines: [lines[0], "601", *lines[2:]])


@TAMPERINGS.found(0, "signature")
def a_smaller_size_in_the_checkpoint(log: MadeLog) -> None:
    with_lines(log, lambda lines: [lines[0], "599", *lines[2:]])


@TAMPERINGS.found(0, "signature")
def another_root_in_the_checkpoint(log: MadeLog) -> None:
    with_lines(log, lambda lines: [*lines[:2], base64.b64encode(bytes(32)).decode(), *lines[3:]])


@TAMPERINGS.found(0, "signature")
def another_name_in_the_checkpoint(log: MadeLog) -> None:
    with_lines(log, lambda lines: [GLOBEX, *lines[1:]])


@TAMPERINGS.found(0, "signature")
def one_bit_of_the_signature(log: MadeLog) -> None:
    with_lines(
        log, lambda lines: [*lines[:4], lines[4][:-20] + chr(ord(lines[4][-20]) ^ 1) + lines[4][-19:], *lines[5:]]
    )


@TAMPERINGS.found(0, "signature")
def another_signed_time(log: MadeLog) -> None:
    later = log.checkpoint(at=SIGNED_AT + 1).split("\n")[5].split(" ")[2]
    stamp, signature = base64.b64decode(later)[:12], base64.b64decode(log.files["checkpoint"].split(b" ")[-1])[12:]
    line = f"— {ORIGIN}/time {base64.b64encode(stamp + signature).decode()}"
    with_lines(log, lambda lines: [*lines[:5], line, ""])


@TAMPERINGS.found(0, "time")
def the_signed_time_taken_away(log: MadeLog) -> None:
    with_lines(log, lambda lines: [*lines[:5], ""])


@TAMPERINGS.found(0, "key")
def the_log_s_signature_taken_away(log: MadeLog) -> None:
    with_lines(log, lambda lines: [*lines[:4], *lines[5:]])


@TAMPERINGS.found(0, "checkpoint")
def no_checkpoint(log: MadeLog) -> None:
    del log.files["checkpoint"]


@TAMPERINGS.found(0, "checkpoint")
def a_line_of_extension(log: MadeLog) -> None:
    text = read_note(log.files["checkpoint"]).text + "more\n"
    log.files["checkpoint"] = sign_note(text, SIGNER).encode()


@TAMPERINGS.found(SIZE, "bundle")
def a_size_signed_that_the_leaves_do_not_have(log: MadeLog) -> None:
    larger = Checkpoint(ORIGIN, 768, bytes(32))
    log.files["checkpoint"] = sign_checkpoint(larger, SIGNER, signed_at=SIGNED_AT).encode()
    log.files["tile/entries/002"] = bundle_bytes(log.leaves[512:])


# ---- clocks


@TAMPERINGS.found(240, "time")
def a_checkpoint_signed_before_its_entries(log: MadeLog) -> None:
    log.files["checkpoint"] = log.checkpoint(at=SIGNED_AT - 53 * 60 - 20 + 3 * 60 - 1).encode()


@TAMPERINGS.found(BAD, "time")
def an_entry_of_tomorrow(log: MadeLog) -> None:
    log.leaves[BAD] = leaf_bytes(entry(BAD, at="2026-12-01T00:00:00.000000Z"))
    rewrite(log, SIGNER)


@TAMPERINGS.found(256, "time")
def a_clock_that_went_back(log: MadeLog) -> dict[str, Any]:
    return {"since": [log.checkpoint(256, at=SIGNED_AT + 1)]}


# ---- another tenant's log


@TAMPERINGS.found(0, "key")
def another_tenant_s_log(log: MadeLog) -> dict[str, Any]:
    own = log.key
    log.leaves, log.signer, log.origin = entries(SIZE, log=GLOBEX), GLOBEX_KEY, GLOBEX
    assert verdict(log.write())["ok"], "of globex it is the log"
    return {"key": own}


@TAMPERINGS.found(0, "log")
def another_tenant_s_leaves_under_the_own_name(log: MadeLog) -> None:
    log.leaves = entries(SIZE, log=GLOBEX)
    rewrite(log, SIGNER)


@TAMPERINGS.found(BAD, "log")
def another_tenant_s_leaf(log: MadeLog) -> None:
    log.leaves[BAD] = leaf_bytes(entry(BAD, log=GLOBEX))
    rewrite(log, SIGNER)


@TAMPERINGS.found(0, "log")
def another_tenant_s_checkpoint_signed_with_the_own_key(log: MadeLog) -> None:
    text = Checkpoint(GLOBEX, SIZE, bytes(32)).text
    log.files["checkpoint"] = sign_note(text, SIGNER).encode()


@TAMPERINGS.found(0, "key")
def another_tenant_s_old_checkpoint(log: MadeLog) -> dict[str, Any]:
    other = MadeLog(entries(10, log=GLOBEX), GLOBEX_KEY, GLOBEX)
    return {"since": [other.checkpoint()]}


@TAMPERINGS.found(0, "log")
def another_tenant_s_old_checkpoint_with_the_keys_of_both(log: MadeLog) -> dict[str, Any]:
    other = MadeLog(entries(10, log=GLOBEX), GLOBEX_KEY, GLOBEX)
    return {"since": [other.checkpoint()], "key": f"{log.key}\n{other.key}"}


# ---- entries.ndjson


def with_line(log: MadeLog, line: bytes) -> None:
    lines = log.files["entries.ndjson"].splitlines(keepends=True)
    log.files["entries.ndjson"] = b"".join([*lines[:BAD], line, *lines[BAD + 1 :]])


@TAMPERINGS.found(BAD, "entries")
def another_value_in_a_line(log: MadeLog) -> None:
    with_line(log, entry_line(log.leaves[BAD].replace(b"done", b"gone")))


@TAMPERINGS.found(BAD, "entries")
def a_line_taken_away(log: MadeLog) -> None:
    with_line(log, b"")


@TAMPERINGS.found(SIZE - 1, "entries")
def the_last_line_taken_away(log: MadeLog) -> None:
    log.files["entries.ndjson"] = b"".join(map(entry_line, log.leaves[:-1]))


@TAMPERINGS.found(SIZE, "entries")
def a_line_added(log: MadeLog) -> None:
    log.files["entries.ndjson"] += entry_line(log.leaves[-1])


def with_what_is_hashed(log: MadeLog, **beside: Any) -> None:
    """Seal a long value and a person's, and tell them beside the leaf."""
    log.leaves[BAD] = leaf_bytes(entry(BAD, after=LONG, source=PERSON))
    rewrite(log, SIGNER)
    true = {
        "long": {digest(LONG)["sha256"]: written(LONG).decode()},
        "personal": {PERSON: {"salt": SALT.hex(), "value": "zoe@acme.example"}},
    }
    with_line(log, entry_line(log.leaves[BAD], **true))
    assert verdict(log)["ok"]
    with_line(log, entry_line(log.leaves[BAD], **{**true, "personal": {PERSON: "erased"}}))
    assert verdict(log)["ok"], "an erased person leaves the log valid"
    with_line(log, entry_line(log.leaves[BAD], **beside))


@TAMPERINGS.found(BAD, "entries")
def another_long_value(log: MadeLog) -> None:
    with_what_is_hashed(log, long={digest(LONG)["sha256"]: written(LONG + "x").decode()})


@TAMPERINGS.found(BAD, "entries")
def a_long_value_that_was_not_sealed(log: MadeLog) -> None:
    with_what_is_hashed(log, long={digest(LONG + "x")["sha256"]: written(LONG + "x").decode()})


@TAMPERINGS.found(BAD, "entries")
def another_person(log: MadeLog) -> None:
    with_what_is_hashed(log, personal={PERSON: {"salt": SALT.hex(), "value": "max@acme.example"}})


@TAMPERINGS.found(BAD, "entries")
def another_salt(log: MadeLog) -> None:
    with_what_is_hashed(log, personal={PERSON: {"salt": bytes(16).hex(), "value": "zoe@acme.example"}})


@TAMPERINGS.found(BAD, "entries")
def a_person_that_was_not_sealed(log: MadeLog) -> None:
    other = commitment(SALT, "max@acme.example")
    with_what_is_hashed(log, personal={other: {"salt": SALT.hex(), "value": "max@acme.example"}})


@pytest.mark.parametrize("name", TAMPERINGS)
def test_it_is_found_and_the_first_bad_leaf_named(log: MadeLog, name: str) -> None:
    TAMPERINGS.judge(name, log)
