"""Verifier of an audit log of llmteam. It needs Python 3.10, the package cryptography, and nothing of llmteam.

    python verify.py LOG --key KEY                      a folder or an address
    python verify.py LOG --key KEY --since CHECKPOINT   and that it extends the log of that time
    python verify.py --receipt FILE --key KEY           one entry, offline

KEY is the log's verifier key, or a file with one on each line: have it from somebody else than whoever gave you the
log. CHECKPOINT is a file that you kept: a checkpoint, or lines of JSON with one each under "checkpoint". What does not
verify is named by the first leaf that nothing vouches for, a kind and a sentence. Ends with 0 if all verifies, 1 if
not, and 2 if it could not be looked at.

The formats are public: RFC 6962 (the tree); c2sp.org/signed-note, tlog-checkpoint, tlog-cosignature, tlog-tiles and
tlog-proof.
"""

import argparse
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from audit.verifier.examination import Verdict, verify_log
from audit.verifier.receipt import verify_receipt
from audit.verifier.signatures import LogKey, read_keys
from audit.verifier.stored import TILE_WIDTH, ReadFile

MAX_FILE_BYTES: Final = TILE_WIDTH * (2 + 0xFFFF)
"""Bytes of the longest bundle; an address that sends more sends no log."""
TIMEOUT_SECONDS: Final = 60


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Keeps the caller's key from another address."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none."""


def reader_of(place: str, token: str) -> ReadFile:
    """Read files of a folder, or below an address with a key of the API."""
    if not place.startswith(("http://", "https://")):
        return lambda path: (Path(place) / path).read_bytes() if (Path(place) / path).is_file() else None
    opener = urllib.request.build_opener(_NoRedirects)

    def read(path: str) -> bytes | None:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        request = urllib.request.Request(f"{place.rstrip('/')}/{path}", headers=headers)  # noqa: S310 - of two schemes
        try:
            with opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                data: bytes = answer.read(MAX_FILE_BYTES + 1)
        except urllib.error.HTTPError as refusal:
            if refusal.code in {404, 410}:
                return None
            raise
        return data if len(data) <= MAX_FILE_BYTES else b""

    return read


def lines_of(place: str) -> Iterator[bytes]:
    """Read the lines of a file, one at a time."""
    with Path(place).open("rb") as file:
        yield from file


def old_checkpoints(paths: list[str], keys: list[LogKey]) -> list[bytes]:
    """Read checkpoints that were kept: of files with many, those of the log."""
    notes: list[bytes] = []
    names = {key.name for key in keys}
    for path in paths:
        data = Path(path).read_bytes()
        if not data.startswith(b"{"):
            notes.append(data)
            continue
        found = [note.encode() for note in _kept_notes(path, data) if note.split("\n")[0] in names]
        if not found:
            raise ValueError(f"{path} has no checkpoint of {' or '.join(sorted(names))}")
        notes += found
    return notes


def _kept_notes(path: str, data: bytes) -> Iterator[str]:
    for number, line in enumerate(data.splitlines(), 1):
        try:
            if line:
                yield str(json.loads(line)["checkpoint"])
        except (ValueError, KeyError, TypeError):
            raise ValueError(f'line {number} of {path} is no JSON with a "checkpoint"') from None


def words_for(verdict: Verdict, start: int = 0) -> str:
    """Say a verdict in a sentence or two; ``start`` is the first leaf that was not pruned."""
    bad = verdict["first_bad"]
    if bad:
        return f"NOT VERIFIED. First bad leaf: {bad['n']} ({bad['kind']}): {bad['detail']}."
    entry = json.dumps(verdict["entry"], indent=1, ensure_ascii=False) if "entry" in verdict else ""
    size, first = verdict["size"], start // TILE_WIDTH * TILE_WIDTH
    leaves = f"Leaves {first} to {size - 1}" if first else f"All {size:,} leaves"
    what = f"The log had this entry:\n{entry}\n" if entry else f"{leaves} are what was signed. "
    return f"Verified. {what}Log: {verdict['log']}, signed {verdict['signed_at']}, {size:,} leaves."


def main() -> int:
    """Verify what the command's words name, and print the verdict."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log", nargs="?", help="a folder, or an address (https://...)")
    parser.add_argument("--key", required=True, help="the log's verifier key, or a file of them")
    parser.add_argument("--since", action="append", default=[], help="a checkpoint that you kept; may stand again")
    parser.add_argument("--from", dest="start", type=int, default=0, help="the first leaf that was not pruned")
    parser.add_argument("--receipt", help="a .tlog-proof file")
    parser.add_argument("--entry", help="a file with the entry's bytes, where the receipt has them not")
    parser.add_argument("--token-file", help="a file with a key of the API, for an address")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    options = parser.parse_args()
    if bool(options.log) == bool(options.receipt) or options.start < 0:
        parser.error("name a log or a receipt, and no leaf below 0")
    try:
        verdict = verdict_of(options)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as problem:
        print(f"could not look: {problem}", file=sys.stderr)
        return 2
    print(json.dumps(verdict) if options.json else words_for(verdict, options.start))
    return 0 if verdict["ok"] else 1


def verdict_of(options: argparse.Namespace) -> Verdict:
    """Do what the command's words say."""
    if "+" not in options.key and not Path(options.key).is_file():
        raise ValueError(f"there is no file {options.key}, and a verifier key has the form name+key id+base64")
    keys = read_keys(Path(options.key).read_text("utf-8") if Path(options.key).is_file() else options.key)
    if options.receipt:
        entry = Path(options.entry).read_bytes() if options.entry else None
        return verify_receipt(Path(options.receipt).read_text("utf-8"), keys, entry)
    token = Path(options.token_file).read_text("utf-8").strip() if options.token_file else ""
    entries = Path(options.log) / "entries.ndjson"
    return verify_log(
        reader_of(options.log, token),
        keys,
        start=options.start,
        since=old_checkpoints(options.since, keys),
        entries=lines_of(str(entries)) if entries.is_file() else None,
    )


if __name__ == "__main__":
    sys.exit(main())
