"""The demo's verdict is red whenever the ledger is not exact, and a bad file is refused before anything starts."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from examples.return_desk.demo import Tally, report
from examples.return_desk.recompute import Verdict

CHECKOUT = Path(__file__).parents[2]
VERDICT = Verdict(refunded={"C1": 510, "C2": 20}, held={"C3": 9000})


def ledger(*, repeats: int = 2, **amounts: int) -> dict[str, Any]:
    refunds = [{"invoice_no": number, "amount_cents": cents} for number, cents in amounts.items()]
    return {"refunds": refunds, "count": len(refunds), "total_cents": sum(amounts.values()), "repeats": repeats}


def tally() -> Tally:
    return Tally(total=3, outcomes=Counter(refunded=2, held=1), caught=2)


def exit_code(ledger: dict[str, Any], tally: Tally) -> int:
    return report(VERDICT, ledger, tally, seconds=1.0, with_start_seconds=2.0)


def test_an_exact_ledger_is_green_and_prints_both_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(ledger(C1=510, C2=20), tally()) == 0
    printed = capsys.readouterr().out
    assert printed.count("5.30") == 2
    assert "Equal" in printed


@pytest.mark.parametrize(
    "wrong", [ledger(C1=510), ledger(C1=511, C2=19), ledger(C1=510, C2=20, C3=9000)], ids=["missing", "amount", "held"]
)
def test_any_difference_is_red(wrong: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(wrong, tally()) == 1
    assert "DIFFERENT" in capsys.readouterr().out


def test_a_call_that_was_cut_off_and_never_repeated_is_red(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code(ledger(C1=510, C2=20, repeats=1), tally()) == 1
    assert "2 refunds were cut off, and only 1 came again" in capsys.readouterr().out


def test_a_failed_run_is_red_even_when_the_sum_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    failed = tally()
    failed.add("C3", {"status": "failed", "output": None, "error": {"message": "the shop is closed"}})
    assert exit_code(ledger(C1=510, C2=20), failed) == 1
    assert "the run of C3 is failed: the shop is closed" in capsys.readouterr().out


def test_a_bad_file_is_refused_in_a_sentence_before_anything_starts(tmp_path: Path) -> None:
    data = tmp_path / "bad.csv"
    data.write_text("a,b\n1,2\n")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CHECKOUT / "platform"), str(CHECKOUT)])}
    command = [sys.executable, "-m", "examples.return_desk.demo", str(data)]
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, cwd=CHECKOUT, env=environment, timeout=30
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"{data}: the first line does not name the column InvoiceNo")
    assert "Traceback" not in done.stderr
