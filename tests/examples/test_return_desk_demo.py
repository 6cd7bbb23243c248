"""The demo's verdict is red whenever the ledger is not exact, and a bad file is refused before anything starts."""

import json
import os
import subprocess
import sys
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from examples.model_server import Asked
from examples.return_desk.demo import Tally, report
from examples.return_desk.letters import write_letter, writer
from examples.return_desk.recompute import Verdict

CHECKOUT = Path(__file__).parents[2]
VERDICT = Verdict(refunded={"C1": 510}, approved={"C2": 20}, declined={"C3": 9000})


def ledger(*, repeats: int = 2, **amounts: int) -> dict[str, Any]:
    refunds = [{"invoice_no": number, "amount_cents": cents} for number, cents in amounts.items()]
    return {"refunds": refunds, "count": len(refunds), "total_cents": sum(amounts.values()), "repeats": repeats}


def tally() -> Tally:
    decisions = Counter(approved=1, rejected=1, modified=2)
    return Tally(total=3, outcomes=Counter(refunded=2, declined=1), caught=2, decisions=decisions)


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


def test_usage_that_is_not_the_sum_of_the_runs_is_red(capsys: pytest.CaptureFixture[str]) -> None:
    billed = tally()
    billed.calls, billed.tokens, billed.cost = 3, 100, Decimal("0.01")
    billed.billed = {"calls": Decimal(3), "tokens": Decimal(100), "cost": Decimal("0.01")}
    assert exit_code(ledger(C1=510, C2=20), billed) == 0
    billed.billed["tokens"] += 1
    assert exit_code(ledger(C1=510, C2=20), billed) == 1
    assert "the runs' tokens are 100, the tenant's usage says 101" in capsys.readouterr().out


def test_a_case_decided_otherwise_or_twice_is_red(capsys: pytest.CaptureFixture[str]) -> None:
    twice = tally()
    assert exit_code(ledger(C1=510, C2=20), twice) == 0
    twice.decisions["approved"] += 1
    assert exit_code(ledger(C1=510, C2=20), twice) == 1
    assert "2 cases were approved, and 1 should have been" in capsys.readouterr().out


def test_a_run_without_a_letter_is_red() -> None:
    silent = tally()
    usage = {"model_calls": 1, "input_tokens": 1, "output_tokens": 1, "cost": "0"}
    end = {"decision": "declined", "letter": "Dear customer"}
    silent.add("C4", {"status": "completed", "output": end, "usage": usage})
    assert silent.failures == []
    silent.add("C4", {"status": "completed", "output": {**end, "letter": ""}, "usage": usage})
    assert silent.failures == ["the run of C4 has written no letter"]


def test_the_environment_names_a_real_model_and_the_demo_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    with writer() as stand_in:
        assert not stand_in.is_real
        assert "stand-in" in stand_in.title
        assert "no model" in stand_in.title
    monkeypatch.setenv("DEMO_LLM_BASE_URL", "https://models.example.com/v1")
    monkeypatch.setenv("DEMO_LLM_KEY", "key-of-a-stranger")
    monkeypatch.setenv("DEMO_LLM_MODEL", "large-1")
    with writer() as real:
        assert real.is_real
        assert "large-1 at models.example.com" in real.title
        assert real.connection["secret"] == "key-of-a-stranger"
        assert "key-of-a-stranger" not in repr(real) + real.title


def test_the_stand_in_computes_its_letter_from_the_prompt() -> None:
    asked = Asked(
        "openai", "m", "", 'Invoice: C9\nRefund in cents: 409\nArticles: ["MUG", "CUP"]', {}, None, (), False, {}, {}
    )
    letter = json.loads(write_letter(asked).text)
    assert letter["reason"] == "2 articles came back, worth 4.09"
    assert "C9" in letter["reply"]
    assert "MUG, CUP" in letter["reply"]


def test_a_failed_run_is_red_even_when_the_sum_is_right(capsys: pytest.CaptureFixture[str]) -> None:
    failed = tally()
    usage = {"model_calls": 0, "input_tokens": 0, "output_tokens": 0, "cost": "0"}
    failed.add("C3", {"status": "failed", "output": None, "error": {"message": "the shop is closed"}, "usage": usage})
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
