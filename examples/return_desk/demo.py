"""`make demo`: refunds every cancellation of a file, loses a worker half way, and counts the money afterwards.

python -m examples.return_desk.demo                    # the sample
python -m examples.return_desk.demo some/file.csv      # a real file
"""

import argparse
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from devserver.errors import DevserverError
from examples.return_desk.client import JsonClient
from examples.return_desk.desk import CallRefused, Desk, RunsTookTooLong
from examples.return_desk.generate import SAMPLE
from examples.return_desk.invoices import InvoiceBook, InvoiceFileRefused, read_invoices
from examples.return_desk.letters import REF, Writer, writer
from examples.return_desk.machine import Machine, running_machine
from examples.return_desk.recompute import Verdict, differences, recompute
from examples.return_desk.reviewer import DecisionRefused, Reviewer
from examples.return_desk.shop import Shop

ANSWER_SECONDS = 0.02
CALLS_CAUGHT_AT_MOST = 8
CATCH_SECONDS = 10.0
RUNS_SECONDS = 60.0


@dataclass(slots=True)
class Tally:
    """The results of the runs so far, and the refunds the killed worker left unanswered."""

    total: int
    outcomes: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    caught: int = 0
    heard: str = ""
    calls: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    billed: dict[str, Decimal] = field(default_factory=dict)
    decisions: Counter[str] = field(default_factory=Counter)

    def add(self, invoice_no: str, run: dict[str, Any]) -> None:
        """Count a run that is over, and say so every now and then."""
        if run["status"] == "completed":
            end = run["output"]
            self.outcomes[end["decision"]] += 1
            if not end["letter"]:
                self.failures.append(f"the run of {invoice_no} has written no letter")
        else:
            reason = (run.get("error") or {}).get("message", "no reason given")
            self.failures.append(f"the run of {invoice_no} is {run['status']}: {reason}")
        usage = run["usage"]
        self.calls += usage["model_calls"]
        self.tokens += usage["input_tokens"] + usage["output_tokens"]
        self.cost += Decimal(usage["cost"])
        over = self.outcomes.total() + len(self.failures)
        if over % max(1, self.total // 6) == 0 or over == self.total:
            counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
            say(f"{over:>4} of {self.total} runs over ({counts or 'none completed'})")


def run_demo(data: Path) -> int:
    """Run every cancellation of a file through the platform; give the exit code: 0 when the ledger is exact."""
    book = read_invoices(data)
    verdict = recompute(data)
    say(f"Return desk: {len(book.cancellations)} cancellations among {book.line_count} invoice lines of {data.name}")
    began = time.monotonic()
    with (
        Shop(book, delay_seconds=ANSWER_SECONDS).open() as shop,
        writer() as who,
        running_machine(reachable=[shop.url, who.base_url], say=say) as machine,
    ):
        say(who.title)
        started = time.monotonic()
        tally = _run_all(machine, shop, book, verdict, who)
        seconds = time.monotonic() - started
        ledger = JsonClient(shop.url).call("GET", "/ledger").content
    return report(verdict, ledger, tally, seconds=seconds, with_start_seconds=time.monotonic() - began)


def _run_all(machine: Machine, shop: Shop, book: InvoiceBook, verdict: Verdict, who: Writer) -> Tally:
    reviewer = Reviewer(machine.reviewer)

    def meanwhile() -> None:
        machine.supervisor.watch()
        reviewer.look()

    desk = Desk(machine.client, shop_url=shop.url, meanwhile=meanwhile)
    desk.connect(REF, who.connection)
    desk.save_segment()
    before = desk.usage()
    tally = Tally(total=len(book.cancellations))
    half = len(book.cancellations) // 2
    first, second = book.cancellations[:half], book.cancellations[half:]
    runs = {number: desk.start(number) for number in first}
    if runs:
        tally.heard = desk.listen(next(iter(runs.values())))
        say(f"heard live while it was written: {tally.heard[:70]} ...")
    desk.wait(runs, timeout_seconds=RUNS_SECONDS, on_over=tally.add)

    refunds = sum(number in verdict.refunded for number in second)
    shop.hold_answers("/refunds" if refunds else "/customers")
    runs = {number: desk.start(number) for number in second}
    shop.wait_for_held_answers(min(refunds or len(second), CALLS_CAUGHT_AT_MOST), timeout_seconds=CATCH_SECONDS)
    machine.start_second_worker()
    pid = machine.kill_first_worker()
    tally.caught = shop.release_answers()
    what = "refunds booked and not yet answered" if refunds else "calls under way"
    say(f"half way: killed the worker (SIGKILL, process {pid}); {what}: {tally.caught}; another takes over")
    desk.wait(runs, timeout_seconds=RUNS_SECONDS, on_over=tally.add)
    if not refunds:
        tally.caught = 0
    tally.decisions = reviewer.decisions
    tally.billed = {name: count - before[name] for name, count in desk.usage().items()}
    return tally


def report(verdict: Verdict, ledger: dict[str, Any], tally: Tally, *, seconds: float, with_start_seconds: float) -> int:
    """Print both sums and every difference; give the exit code, 0 when there is none."""
    found = [*tally.failures, *differences(verdict, ledger["refunds"]), *bill_differences(tally)]
    found += decision_differences(verdict, tally)
    if ledger["repeats"] < tally.caught:
        found.append(f"{tally.caught} refunds were cut off, and only {ledger['repeats']} came again with their key")
    say("")
    say(f"refunds in the ledger    {ledger['total_cents'] / 100:>12,.2f}  {ledger['count']:>4} refunds")
    say(f"computed from the file   {verdict.paid_cents / 100:>12,.2f}  {len(verdict.paid):>4} refunds")
    say(f"runs {tally.total}, {seconds:.1f} s (with start and stop {with_start_seconds:.1f} s)")
    say(f"calls that came again with a known key, and were not booked again: {ledger['repeats']}")
    said = tally.decisions
    say(
        f"decided by a person: {said['approved']} approved, {said['rejected']} rejected, {said['modified']} letters "
        "written anew"
    )
    say(f"letters: {tally.calls} calls, {tally.tokens} tokens, {tally.cost} USD, by the runs and by the tenant's usage")
    for sentence in found:
        say(f"DIFFERENT: {sentence}")
    if not found:
        say("Equal: each cancellation was decided once, each refund booked exactly once.")
    return 1 if found else 0


def decision_differences(verdict: Verdict, tally: Tally) -> list[str]:
    """Hold what the person decided against what the file asks for: each case once."""
    asked = {"approved": len(verdict.approved), "rejected": len(verdict.declined)}
    return [
        f"{tally.decisions[decision]} cases were {decision}, and {count} should have been"
        for decision, count in asked.items()
        if tally.decisions[decision] != count
    ]


def bill_differences(tally: Tally) -> list[str]:
    """Hold the sums of the runs against what the tenant is told it has used."""
    summed = {"calls": tally.calls, "tokens": tally.tokens, "cost": tally.cost}
    return [
        f"the runs' {name} are {count}, the tenant's usage says {tally.billed.get(name, 0)}"
        for name, count in summed.items()
        if tally.billed.get(name, 0) != count
    ]


def say(line: str) -> None:
    """Print a line at once, also into a pipe."""
    print(line, flush=True)


def main() -> int:
    """Read the arguments and run the demo; every foreseeable failure is a sentence on standard error."""
    parser = argparse.ArgumentParser(description="Refund every cancellation of a file, each exactly once.")
    parser.add_argument("data", nargs="?", type=Path, default=SAMPLE, help="a file of invoices; default: the sample")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return run_demo(arguments.data)
    except InvoiceFileRefused as error:
        print(error, file=sys.stderr)
        return 2
    except (CallRefused, DecisionRefused, RunsTookTooLong, DevserverError) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
