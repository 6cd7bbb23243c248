"""Hold the core against the interpreter over graphs of any seeds.

    python -m tests.reference [--graphs 10000] [--seed N]

Prints one JSON line: how many graphs agree, are too large to compare, differ (with their seeds), and for how many the
contract allows several results, by the rule that allows them. The exit code is 1 when one differs.
"""

import argparse
import json
import os
import secrets
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import Random
from typing import Any

import django

from tests.reference.ambiguity import rule_behind
from tests.reference.generator import generate
from tests.reference.interpreter import TooLarge, interpret
from tests.reference.judge import judge

SHOWN = 20


def compare(seed: int) -> str:
    """Tell of one graph: agree, differ, too large, or by which rule it has several results, one of them the core's."""
    from tests.reference.product import run_product  # noqa: PLC0415 - needs the settings

    case = generate(seed)
    try:
        interpret(case.segment, case.run_input)
        found, finished = run_product(case.segment, case.run_input, Random(seed))
        if not judge(case.segment, case.run_input, found, finished).agrees:
            return "differ"
        return rule_behind(case.segment, case.run_input) or "agree"
    except TooLarge:
        return "too large"


def main() -> int:
    """Read the arguments, compare, print the line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--graphs", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**9), help="of the first graph")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.graphs)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
    os.environ.setdefault("LLMTEAM_DEVELOPMENT", "1")
    began = time.monotonic()
    with ProcessPoolExecutor(os.cpu_count(), initializer=django.setup) as pool:
        told = dict(zip(seeds, pool.map(compare, seeds, chunksize=25), strict=True))
    print(json.dumps(_line(told) | {"seconds": round(time.monotonic() - began)}))
    return int("differ" in told.values())


def _line(told: dict[int, str]) -> dict[str, Any]:
    counts = Counter(told.values())
    plain = {name: counts.pop(name, 0) for name in ("agree", "too large", "differ")}
    seeds = [seed for seed, name in told.items() if name == "differ"]
    return {
        "graphs": len(told),
        "seed": min(told),
        **plain,
        "several results": dict(counts),
        "seeds that differ": seeds[:SHOWN],
    }


if __name__ == "__main__":
    sys.exit(main())
