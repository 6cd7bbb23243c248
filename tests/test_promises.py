"""The table of promises names tests and make targets that exist."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TABLE = (ROOT / "docs" / "promises.md").read_text(encoding="utf-8")
ROWS = [line for line in TABLE.splitlines() if line.startswith("| ") and not line.startswith(("| promise", "| ---"))]


def named_in_code(row: str) -> list[str]:
    return re.findall(r"`([^`]+)`", row.split(" | ")[1])


def test_every_named_test_exists() -> None:
    named = [name for row in ROWS for name in named_in_code(row) if ".py" in name]
    missing = []
    for name in named:
        path, _, function = name.partition("::")
        file = ROOT / "tests" / path
        if not file.is_file() or f"def {function}(" not in file.read_text(encoding="utf-8") + "def (":
            missing.append(name)
    print(f"{len(ROWS)} promises name {len(named)} tests")
    assert not missing
    assert len(named) > len(ROWS) / 2


def test_every_named_make_target_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {target for row in ROWS for target in re.findall(r"`make ([a-z]+)", row)}
    assert {"demo", "test", "check", "bench"} <= targets
    assert {target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)} == set()


def test_every_row_says_how_it_stands() -> None:
    for row in ROWS:
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        assert len(cells) == 3, row
        assert cells[2] == "open" or re.search(r"\d{4}-\d{2}-\d{2}$", cells[2]), row
