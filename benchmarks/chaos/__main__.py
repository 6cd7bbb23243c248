"""Break every part of the platform under load, and prove each time that nothing is lost.

    python -m benchmarks.chaos [--seed N] [--only worker_killed,web_killed]
    python -m benchmarks.chaos --only differential [--graphs 1000] [--seed N]
    python -m benchmarks.chaos --only neighbours [--attack mapping,streams] [--seconds 30]

Prints one JSON line an experiment and the seed with the last; the exit code is 1 when anything was violated. The same
seed breaks the same things after the same pauses. Everything is our own: a durable Postgres, Valkey, one web process,
a scheduler, two workers, and the system that is called, all on loopback.

`differential` runs random graphs, and holds how they end against an interpreter and against variants of them.

`neighbours` is another kind of experiment and runs only when it is named: one tenant attacks, another measures what it
notices. It prints one JSON line an attack; all attacks of 30 seconds take about an hour.
"""

import argparse
import json
import secrets
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.chaos import audit_faults, rolling, server_faults, takeover, worker_faults
from benchmarks.chaos.differential.experiment import GRAPHS, compare_with_interpreter
from benchmarks.chaos.load import Client
from benchmarks.chaos.neighbours.attacks import ATTACKS
from benchmarks.chaos.neighbours.experiment import attack_neighbours
from benchmarks.chaos.programs import FaultDidNotHappen
from benchmarks.chaos.stack import Stack, running_stack
from benchmarks.chaos.trial import Trial, World
from benchmarks.figures import line

EXPERIMENTS: dict[str, Callable[[Trial], None]] = {
    "worker_killed": worker_faults.kill_workers,
    "worker_frozen": worker_faults.freeze_workers,
    "answer_before_kill": worker_faults.kill_after_answers,
    "worker_stopped": worker_faults.stop_workers,
    "web_killed": server_faults.kill_web_and_beat,
    "postgres_restarted": server_faults.restart_postgres,
    "connections_terminated": server_faults.terminate_connections,
    "postgres_away": server_faults.take_postgres_away,
    "valkey_flushed": server_faults.flush_valkey,
    "doorbell_storm": server_faults.storm_the_doorbell,
    "loop_blocked": worker_faults.block_the_loop,
    "valkey_stopped": server_faults.stop_valkey,
    "default_lease": worker_faults.take_over_by_default,
    "takeover": takeover.take_over_beside_another,
    "takeover_alone": takeover.take_over_alone,
    "rolling_restart": rolling.restart_in_turn,
    "mixed_faults": takeover.mix_faults,
    "sealer_killed": audit_faults.kill_sealers,
}
DIFFERENTIAL = "differential"
NEIGHBOURS = "neighbours"
ATTACK_SECONDS = 30.0


def try_out(
    experiment: Callable[[Trial], None], stack: Stack, world: World, client: Client, *, name: str, seed: str
) -> bool:
    """Run one experiment and print its line; return whether every promise held."""
    began = time.monotonic()
    trial = Trial(stack, world, client, name=name, seed=seed)
    try:
        experiment(trial)
    except (FaultDidNotHappen, RuntimeError, TimeoutError) as error:
        trial.violations.append(f"the experiment could not be finished: {error}")
    trial.expect(trial.ended_by_themselves == 0, f"{trial.ended_by_themselves} processes ended by themselves")
    mend(stack)
    facts: dict[str, Any] = {"ok": not trial.violations, "seconds": round(time.monotonic() - began, 1)}
    told = line(name, **facts, **trial.figures, violations=trial.violations)
    print(json.dumps({"experiment": told.pop("workload"), **told}), flush=True)
    return not trial.violations


def mend(stack: Stack) -> None:
    """Have everything run again before the next experiment."""
    for server in (stack.postgres, stack.valkey):
        if not server.alive():
            server.revive()
    stack.revive()
    stack.wait_for_workers()
    stack.wait_for_web()


def read_arguments() -> argparse.Namespace:
    """Read what is wanted; ends the program where there is no such thing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", default=str(secrets.randbelow(10**6)))
    parser.add_argument("--only", default=",".join([*EXPERIMENTS, DIFFERENTIAL]), help="names, separated by commas")
    parser.add_argument("--attack", default=",".join(ATTACKS), help="of neighbours: names, separated by commas")
    parser.add_argument("--seconds", type=float, default=ATTACK_SECONDS, help="how long an attack of neighbours lasts")
    parser.add_argument("--graphs", type=int, default=GRAPHS, help="how many graphs differential compares")
    arguments = parser.parse_args()
    for kind, given, known in (
        ("experiment", arguments.only, [*EXPERIMENTS, DIFFERENTIAL, NEIGHBOURS]),
        ("attack", arguments.attack, [*ATTACKS]),
    ):
        unknown = set(given.split(",")).difference(known)
        if unknown:
            parser.error(f"there is no {kind} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return arguments


def main() -> int:
    """Start everything, and try it all out."""
    arguments = read_arguments()
    wanted = arguments.only.split(",")
    attacks = [name for name in ATTACKS if name in arguments.attack.split(",")]
    neighbours = partial(attack_neighbours, names=attacks, seconds=arguments.seconds)
    differential = partial(compare_with_interpreter, graphs=arguments.graphs)
    experiments = {**EXPERIMENTS, DIFFERENTIAL: differential, NEIGHBOURS: neighbours}
    began = time.monotonic()
    print(json.dumps({"seed": arguments.seed}), flush=True)
    held: list[bool] = []
    world = World()
    with running_stack(world.upstream.url) as stack:
        client = Client(stack.base_url, stack.key)
        world.save_segments(client)
        held += [
            try_out(experiment, stack, world, client, name=name, seed=arguments.seed)
            for name, experiment in experiments.items()
            if name in wanted
        ]
    last = {"seed": arguments.seed, "ok": all(held), "experiments": len(held), "violated": held.count(False)}
    print(json.dumps({**last, "seconds": round(time.monotonic() - began, 1)}), flush=True)
    return 0 if all(held) else 1


if __name__ == "__main__":
    sys.exit(main())
