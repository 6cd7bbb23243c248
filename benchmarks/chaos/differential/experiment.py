"""Random graphs through the API, with pauses, kills and replays at random moments, held against an interpreter."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from uuid import UUID

from benchmarks.chaos.differential.comparison import (
    AGREES,
    DIFFERS,
    ONLY_ACTIVATIONS,
    OPEN,
    OTHER,
    SAME,
    Compared,
    compare,
)
from benchmarks.chaos.differential.observation import Observer
from benchmarks.chaos.proof import prove
from benchmarks.chaos.trial import Trial
from benchmarks.chaos.worker_faults import epochs

GRAPHS = 100
PAUSED_SHARE = 0.3
SIDE_BY_SIDE = 12
SHORTEST_PEACE, LONGEST_PEACE = 2.0, 6.0
SHOWN = 20
DETAILS_SHOWN = 3
DETAIL_LENGTH = 1_500


def compare_with_interpreter(trial: Trial, *, graphs: int) -> None:
    """Run graphs, disturb them, and note those that end otherwise than the interpreter or their variants say."""
    since, first_seed = trial.stack.now(), trial.rng.randrange(10**9)
    observer = Observer(trial.client)
    work = trial.begin(_compare_all(observer, range(first_seed, first_seed + graphs)))
    disturbed = _kill_until_done(trial, work)
    compared = work.result(0)
    run_ids = observer.started
    found = prove(trial.stack, since=since, outputs={}, others=run_ids, calls=[])
    trial.violations += found.violations
    after = epochs(trial, list(disturbed))
    lost = [run_id for run_id, epoch in disturbed.items() if after[run_id] > epoch]
    _tell(trial, compared)
    trial.figures |= {"first_seed": first_seed, "runs": len(run_ids), "runs_taken_over_from_the_killed": len(lost)}
    trial.expect(bool(lost), "no run was taken over from a killed worker")


async def _compare_all(observer: Observer, seeds: range) -> list[Compared]:
    turn = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(seed: int) -> Compared:
        async with turn:
            return await compare(observer, seed, prefix=f"differential-{seeds.start}")

    return await asyncio.gather(*(one(seed) for seed in seeds))


def _kill_until_done(trial: Trial, work: "Future[list[Compared]]") -> dict[UUID, int]:
    """Kill one worker after the other; return the runs they owned, with the epochs of then."""
    owned: dict[UUID, int] = {}
    kills = 0
    while not work.done():
        trial.wait_for(work.done, seconds=trial.rng.uniform(SHORTEST_PEACE, LONGEST_PEACE))
        victim = trial.rng.choice(trial.stack.workers)
        if work.done() or not trial.stack.owned_by(victim):
            continue
        owned |= epochs(trial, list(trial.stack.owned_by(victim)))
        victim.kill()
        victim.start()
        kills += 1
        trial.stack.wait_for_worker(victim)
    trial.figures["kills"] = kills
    return owned


def _tell(trial: Trial, compared: Sequence[Compared]) -> None:
    judged = [one for one in compared if one.judged and not one.trouble]
    troubles = Counter(one.trouble for one in compared if one.trouble)
    too_large = troubles.pop("too_large", 0)
    verdicts = Counter(_worst(one) for one in judged)
    relations = Counter(one.metamorphic for one in judged)
    paused = sum(one.paused for one in judged)
    trial.figures |= {
        "graphs": len(compared),
        **{name: verdicts[name] for name in (AGREES, ONLY_ACTIVATIONS, DIFFERS)},
        "too_large": too_large,
        "metamorphic": {name: relations[name] for name in (SAME, OPEN, OTHER)},
        "truly_paused": paused,
        "replays": sum("replayed" in one.judged for one in judged),
        "seeds_that_differ": [one.seed for one in judged if one.details][:SHOWN],
    }
    trial.violations += [f"{trouble}: {count} graphs" for trouble, count in troubles.items()]
    wrong = [one for one in judged if one.details]
    trial.violations += [f"seed {one.seed}: {'; '.join(one.details)[:DETAIL_LENGTH]}" for one in wrong[:DETAILS_SHOWN]]
    trial.expect(not wrong, f"{len(wrong)} graphs do not end as they are to")
    trial.expect(paused >= PAUSED_SHARE * len(judged), f"{paused} runs only were truly paused")


def _worst(one: Compared) -> str:
    return max(one.judged.values(), key=[AGREES, ONLY_ACTIVATIONS, DIFFERS].index)
