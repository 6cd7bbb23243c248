"""Comparison of this checkout with another one, a round of each in turn, while both stacks are up.

    python -m benchmarks.pairs FOLDER [--only W1,LONE,W4] [--rounds 15]

A machine's speed drifts by more than what a change costs. Two rounds within seconds meet the same speed, so the median
of the ratios of such pairs says more than two measurements of minutes. ``FOLDER`` needs a ``.venv`` of its own.
Prints one JSON line a workload: medians of both in milliseconds, and the median and quartiles of their ratios.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
from pathlib import Path
from typing import IO, cast

from devserver import folders

ROUNDS_SCRIPT = Path(__file__).with_name("rounds.py")
WORKLOADS = ("W1", "LONE", "W4")


class Side:
    """A checkout that measures one round whenever it is asked to."""

    def __init__(self, checkout: Path, workload: str) -> None:
        self.milliseconds: list[float] = []
        self._process = subprocess.Popen(  # noqa: S603 - the checkout the caller names
            [checkout / ".venv/bin/python", ROUNDS_SCRIPT, workload],
            cwd=checkout,
            env={**os.environ, "PYTHONPATH": str(checkout)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._read()

    def measure(self) -> None:
        """Measure one round."""
        self._write("round")
        self.milliseconds.append(float(self._read()))

    def stop(self) -> None:
        """Stop its stack."""
        self._write("stop")
        self._process.wait()

    def _write(self, word: str) -> None:
        print(word, file=self._process.stdin, flush=True)

    def _read(self) -> str:
        line = cast(IO[str], self._process.stdout).readline()
        if not line:
            raise SystemExit("a stack did not come up; its messages stand above")
        return line


def compare(other: Path, workload: str, rounds: int) -> dict[str, object]:
    """Measure one workload in both checkouts; the ratios are this one's figure by the other's."""
    before, after = sides = Side(other, workload), Side(folders.CHECKOUT, workload)
    for _ in range(rounds):
        for side in random.sample(sides, 2):
            side.measure()
    for side in sides:
        side.stop()
    ratios = [mine / others for mine, others in zip(after.milliseconds, before.milliseconds, strict=True)]
    quartiles = statistics.quantiles(ratios, n=4)
    return {
        "workload": workload,
        "rounds": rounds,
        "other_ms": round(statistics.median(before.milliseconds), 4),
        "this_ms": round(statistics.median(after.milliseconds), 4),
        "ratio": round(quartiles[1], 3),
        "quartiles": [round(quartiles[0], 3), round(quartiles[2], 3)],
    }


def main() -> None:
    """Read the command line, and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("other", type=Path, metavar="FOLDER")
    parser.add_argument("--only", type=lambda text: text.split(","), default=list(WORKLOADS))
    parser.add_argument("--rounds", type=int, default=15)
    asked = parser.parse_args()
    for workload in asked.only:
        print(json.dumps(compare(asked.other.resolve(), workload, asked.rounds)), flush=True)


if __name__ == "__main__":
    main()
