"""The table of what others do names tests and cases that exist."""

import json
import re
from pathlib import Path

TESTS = Path(__file__).parent
TABLE = (TESTS.parent / "docs" / "compatibility.md").read_text(encoding="utf-8")
SHOWN = [line.rstrip(" |").split(" | ")[-1] for line in TABLE.splitlines() if re.match(r"\| (?!who |---)", line)]


def test_every_row_names_a_test_that_exists_or_the_one_above() -> None:
    assert len(SHOWN) > 40
    named = [name for shown in SHOWN for name in re.findall(r"`([^`]+\.py)`", shown)]
    assert {name for name in named if not (TESTS / name).is_file()} == set()
    assert [shown for shown in SHOWN if ".py" not in shown and not shown.startswith("the same")] == []


def test_every_word_beside_a_test_begins_the_name_of_a_case_or_is_its_class() -> None:
    field = json.loads((TESTS / "cases" / "field.json").read_text(encoding="utf-8"))
    cases = [case for section in field.values() for case in section]
    known = {case["class"] for case in field["models"]}
    words = [word for shown in SHOWN for word in re.findall(r"`([^`]+)`", shown) if not word.endswith(".py")]
    ids = [case["id"] for case in cases if "id" in case]
    assert [word for word in words if word not in known and not any(name.startswith(word) for name in ids)] == []
