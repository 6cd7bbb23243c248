"""The stand-alone verifier: any log verifies, pruned ones and receipts too, of a folder and an address, as one file."""

import ast
import functools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from audit.log.checkpoints import Checkpoint, sign_checkpoint
from audit.log.proofs import LogProof, read_proof
from audit.log.tiles import parse_path
from audit.log.tree import leaf_hash
from audit.verifier.command import words_for
from audit.verifier.standalone import verify_py
from tests.support.audit_logs import ORIGIN, SIGNED_AT, MadeLog, entries, flipped, verdict, verifier

ROOT = Path(__file__).resolve().parents[3]
SIZES = [0, 1, 2, 255, 256, 257, 511, 512, 513]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log of 300 leaves as an export has it, with what an auditor kept beside it."""
    place = tmp_path_factory.mktemp("log")
    log = MadeLog(entries(300)).write()
    for path, data in log.files.items():
        (place / "log" / path).parent.mkdir(parents=True, exist_ok=True)
        (place / "log" / path).write_bytes(data)
    (place / "verify.py").write_text(verify_py(), "utf-8")
    (place / "key").write_text(f"{log.key}\n", "utf-8")
    (place / "old").write_text(log.checkpoint(200, at=SIGNED_AT - 9), "utf-8")
    lines = [{"at": 1, "checkpoint": log.checkpoint(size)} for size in (100, 200)]
    foreign = {"checkpoint": log.checkpoint(7).replace(ORIGIN, "audit.example/globex")}
    (place / "kept").write_text("".join(f"{json.dumps(line)}\n" for line in (foreign, *lines)), "utf-8")
    (place / "receipt").write_text(log.receipt(7).text, "utf-8")
    (place / "leaf").write_bytes(log.leaves[7])
    (place / "token").write_text("secret\n", "utf-8")
    return place


def run(folder: Path, *words: str) -> tuple[int, str]:
    """Run the file with a Python that sees nothing of ours."""
    argv = [sys.executable, "-I", "verify.py", *words]
    done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("size", SIZES)
def test_a_log_of_any_size_verifies(size: int) -> None:
    log = MadeLog(entries(size)).write()
    seen: list[int] = []
    found = verdict(log, since=[log.checkpoint(one) for one in SIZES if one <= size], progress=seen.append)
    assert (found["ok"], found["first_bad"], found["size"], found["log"]) == (True, None, size, ORIGIN)
    assert found["signed_at"] == "2026-11-30T00:53:20Z"
    assert seen[-1:] == [size][: size > 0]


def test_a_full_tile_serves_where_the_partial_one_is_gone() -> None:
    log, longer = MadeLog(entries(300)).write(), MadeLog(entries(512)).write()
    files = {path: data for path, data in longer.files.items() if not path.endswith((".p/44", "checkpoint", "ndjson"))}
    log.files = {**files, "checkpoint": log.files["checkpoint"], "tile/1/000.p/1": log.files["tile/1/000.p/1"]}
    assert verdict(log)["ok"]
    log.files["tile/entries/001"] = log.files["tile/entries/001"].replace(b'"n":299', b'"n":298')
    assert verdict(log)["first_bad"]["n"] == 299


@pytest.mark.parametrize("start", [256, 300, 512, 600])
def test_a_pruned_log_verifies_from_its_first_leaf_on(start: int) -> None:
    log = MadeLog(entries(600)).write()
    for path in [path for path in log.files if path.startswith("tile/") and parse_path(path).end <= start]:
        del log.files[path]
    first = start // 256 * 256
    lines = log.files["entries.ndjson"].splitlines(keepends=True)
    log.files["entries.ndjson"] = b"".join(lines[first:])
    old = log.checkpoint(start)
    assert verdict(log, start=start, since=[old])["ok"]
    assert verdict(log)["first_bad"] == {"n": 0, "kind": "missing", "detail": "tile/entries/000 is not there"}
    assert verdict(log, start=start, since=[log.checkpoint(100)])["first_bad"]["kind"] == "missing"
    assert verdict(log, start=601)["first_bad"]["kind"] == "shrunk"
    log.files["tile/1/000.p/2"] = flipped(log.files["tile/1/000.p/2"], 1)
    assert not verdict(log, start=start)["ok"], "what is left of the pruned part is held by the root"


def test_keys_of_a_log_that_was_given_a_new_one() -> None:
    log = MadeLog(entries(10)).write()
    other = log.key.replace("audit", "other")
    with pytest.raises(ValueError, match="form name"):
        verifier().read_keys(other)
    for text in ("", "a+b", "a+00000000+AAAA", log.key[:-4], f"{log.key}\nx"):
        with pytest.raises(ValueError, match=r"verifier key|hexadecimal"):
            verifier().read_keys(text)
    new = MadeLog(log.leaves, signer=type(log.signer)(ORIGIN, bytes(range(5, 37)))).write()
    assert verdict(new, key=f"{log.key}\n{new.key}\n", since=[log.checkpoint(3)])["ok"]
    assert verdict(new, since=[log.checkpoint(3)])["first_bad"]["kind"] == "key"


def test_a_receipt_verifies_with_the_key_alone() -> None:
    log = MadeLog(entries(300))
    keys = verifier().read_keys(log.key)
    for n in (0, 255, 256, 299):
        found = verifier().verify_receipt(log.receipt(n).text, keys)
        assert (found["ok"], found["entry"]) == (True, json.loads(log.leaves[n]))
        assert verifier().verify_receipt(log.receipt(n).text, keys, log.leaves[n])["ok"]


@pytest.mark.parametrize(
    ("change", "n", "kind"),
    [
        ({"entry": b"{}"}, 7, "receipt"),
        ({"index": 8}, 8, "receipt"),
        ({"index": 10**6}, 10**6, "receipt"),
        ({"hashes": ()}, 7, "receipt"),
        ({"hashes": (bytes(32),)}, 7, "receipt"),
        ({"hashes": (b"short",)}, 7, "receipt"),
        ({"hashes": (bytes(32),) * 63}, 7, "receipt"),
        ({"extra": b"{}"}, 7, "receipt"),
        ({"extra": b""}, 7, "receipt"),
        ({"checkpoint": "x"}, 0, "checkpoint"),
        ({"text": "x"}, 0, "receipt"),
        ({"key": MadeLog([], signer=type(MadeLog([]).signer)(ORIGIN, bytes(32))).key}, 0, "key"),
    ],
)
def test_a_changed_receipt_is_refused(change: dict[str, Any], n: int, kind: str) -> None:
    log = MadeLog(entries(300))
    true = log.receipt(7)
    assert verifier().verify_receipt(true.text, verifier().read_keys(log.key))["ok"]
    parts = {name: change.get(name, getattr(true, name)) for name in ("index", "hashes", "checkpoint", "extra")}
    text = change.get("text", type(true)(**parts).text)
    found = verifier().verify_receipt(text, verifier().read_keys(change.get("key", log.key)), change.get("entry"))
    assert (found["ok"], found["entry"]) == (False, None)
    assert (found["first_bad"]["n"], found["first_bad"]["kind"]) == (n, kind)


def test_a_receipt_of_a_leaf_that_says_it_is_another_is_refused() -> None:
    log = MadeLog(entries(4)[::-1])
    found = verifier().verify_receipt(log.receipt(1).text, verifier().read_keys(log.key))
    assert found["first_bad"]["kind"] == "number"


def test_a_receipt_whose_way_ends_before_the_root_is_refused() -> None:
    log = MadeLog(entries(300))
    state = Checkpoint(ORIGIN, 300, leaf_hash(log.leaves[7]))
    short = LogProof(7, (), sign_checkpoint(state, log.signer, signed_at=SIGNED_AT), log.leaves[7])
    assert verifier().verify_receipt(short.text, verifier().read_keys(log.key))["first_bad"]["kind"] == "receipt"


def test_the_file_is_one_file_of_python_and_cryptography() -> None:
    tree = ast.parse(verify_py())
    imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module}
    outside = {name.split(".")[0] for name in imported} - set(sys.stdlib_module_names)
    assert outside == {"cryptography"}
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert len(names) == len(set(names)) > 20


def test_the_file_is_written_by_a_command() -> None:
    argv = [sys.executable, "-m", "audit.verifier.standalone"]
    assert subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout == verify_py()


def test_the_command_verifies_a_folder(folder: Path) -> None:
    code, said = run(folder, "log", "--key", "key", "--since", "old", "--since", "kept")
    assert (code, said.startswith("Verified. All 300 leaves are what was signed.")) == (0, True), said
    code, said = run(folder, "log", "--key", (folder / "key").read_text().strip(), "--json")
    assert (code, json.loads(said)["ok"]) == (0, True)


def test_the_command_says_which_leaves_it_has_looked_at() -> None:
    verdict = {"first_bad": None, "size": 702, "log": "log.example", "signed_at": "2026-12-01T00:00:00Z"}
    assert words_for(verdict).startswith("Verified. All 702 leaves are what was signed.")
    assert words_for(verdict, 300).startswith("Verified. Leaves 256 to 701 are what was signed.")


def test_the_command_names_the_first_bad_leaf(folder: Path) -> None:
    bundle = folder / "log" / "tile" / "entries" / "000"
    data = bundle.read_bytes()
    bundle.write_bytes(data.replace(b'"key:9"', b'"key:8"'))
    try:
        code, said = run(folder, "log", "--key", "key")
    finally:
        bundle.write_bytes(data)
    assert (code, said[:40]) == (1, "NOT VERIFIED. First bad leaf: 9 (leaf): ")


def test_the_command_verifies_a_receipt(folder: Path) -> None:
    code, said = run(folder, "--receipt", "receipt", "--key", "key")
    assert (code, '"object_id": "segment-7"' in said) == (0, True), said
    assert run(folder, "--receipt", "receipt", "--key", "key", "--entry", "leaf")[0] == 0
    assert run(folder, "--receipt", "receipt", "--key", "key", "--entry", "old")[0] == 1
    assert read_proof((folder / "receipt").read_text("utf-8")).index == 7


@pytest.mark.parametrize(
    "words",
    [
        ["--key", "key"], ["log", "--receipt", "receipt", "--key", "key"], ["log", "--key", "nokey"], ["log"],
        ["log", "--key", "key", "--since", "absent"], ["log", "--key", "key", "--from", "-1"],
        ["--receipt", "absent", "--key", "key"],
    ],
)  # fmt: skip
def test_what_cannot_be_looked_at_is_no_verdict(folder: Path, words: list[str]) -> None:
    code, said = run(folder, *words)
    assert code == 2, said


def test_the_commands_of_the_howto_work_as_they_stand(folder: Path, address: str) -> None:
    page = (ROOT / "docs" / "howto" / "verify-the-audit.md").read_text("utf-8")
    commands = [line.split()[2:] for line in page.splitlines() if line.startswith("python verify.py")]
    assert len(commands) == 5
    for words in commands:
        code, said = run(folder, *(f"{address}/log" if word.startswith("https://") else word for word in words))
        assert code == 0, said


class Static(SimpleHTTPRequestHandler):
    """Any static server serves a log; this one asks for a key and can send callers away."""

    def do_GET(self) -> None:
        if self.headers.get("Authorization") != "Bearer secret":
            self.send_error(401)
        elif self.path.startswith("/away/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/away"))
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def address(folder: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Static, directory=str(folder))) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_the_command_verifies_an_address_and_follows_no_redirect(folder: Path, address: str) -> None:
    asked = ["--key", "key", "--since", "old", "--token-file", "token"]
    code, said = run(folder, f"{address}/log/", *asked)
    assert code == 0, said
    assert run(folder, f"{address}/log", "--key", "key")[0] == 2, "401"
    assert run(folder, f"{address}/away/log", *asked)[0] == 2
    assert run(folder, f"{address}/nothing", *asked)[0] == 1, "no checkpoint there"
