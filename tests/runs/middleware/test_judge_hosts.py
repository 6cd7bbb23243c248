"""The breaker's rules, as this process keeps them and as Redis does: the same, by any sequence of turns."""

import random
import re
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis.asyncio
from django.conf import settings

from kernel.ids import new_id
from runs.circuits import shared
from runs.circuits.local import LocalState
from runs.circuits.protocol import BreakerReply, BreakerRequest, BreakerRules, BreakerVerdict, CallOutcome
from runs.circuits.shared import SharedStates

RULES = BreakerRules()
COOLDOWN, WINDOW, PROVEN, LEASE = 30_000, 30_000, 300_000, 15_000


def ids(count: int, start: int = 0) -> tuple[str, ...]:
    return tuple(f"id-{number}" for number in range(start, start + count))


def ended(call_ids: tuple[str, ...], outcome: CallOutcome) -> tuple[tuple[str, CallOutcome], ...]:
    return tuple((call_id, outcome) for call_id in call_ids)


def dead() -> LocalState:
    """A breaker that opened at 1,000 ms."""
    state = LocalState(RULES)
    state.ask(BreakerRequest(wanted=10, ids=ids(10)), now=0)
    assert state.ask(BreakerRequest(settled=ended(ids(10), CallOutcome.FAILED)), now=1_000).opened
    return state


def proven(now: int = 0) -> LocalState:
    state = LocalState(RULES)
    state.ask(BreakerRequest(succeeded=10), now=now)
    return state


def test_an_unknown_host_gets_sixteen_calls_until_some_have_ended() -> None:
    state = LocalState(RULES)
    assert state.ask(BreakerRequest(wanted=200, ids=ids(64)), now=0) == BreakerReply(BreakerVerdict.COUNTED, 16)
    assert state.ask(BreakerRequest(wanted=184, ids=ids(64, 100)), now=10) == BreakerReply(BreakerVerdict.COUNTED, 0)
    settled = ended(ids(9), CallOutcome.SUCCEEDED)
    assert state.ask(BreakerRequest(settled=settled, wanted=1, ids=ids(1, 200)), now=20) == BreakerReply(
        BreakerVerdict.COUNTED, 0
    )
    tenth = ended(("id-9",), CallOutcome.SUCCEEDED)
    assert state.ask(BreakerRequest(settled=tenth, wanted=184, ids=ids(64, 300)), now=30) == BreakerReply(
        BreakerVerdict.FREE, 184
    )


@pytest.mark.parametrize(
    ("succeeded", "failed", "opens"),
    [(0, 9, False), (0, 10, True), (5, 5, True), (6, 5, False), (6, 6, True), (1, 8, False), (100, 99, False)],
)
def test_it_opens_at_half_of_at_least_ten(succeeded: int, failed: int, opens: bool) -> None:
    state = LocalState(RULES)
    state.ask(BreakerRequest(succeeded=succeeded), now=0)
    assert state.ask(BreakerRequest(failed=failed), now=1).opened is opens


def test_a_success_never_opens_it() -> None:
    state = LocalState(RULES)
    state.ask(BreakerRequest(failed=9), now=0)
    assert state.ask(BreakerRequest(succeeded=1), now=1).opened is False


def test_outcomes_count_for_thirty_seconds() -> None:
    for seconds, opens in ((26, True), (34, False)):
        state = LocalState(RULES)
        state.ask(BreakerRequest(failed=9), now=0)
        assert state.ask(BreakerRequest(failed=1), now=seconds * 1000).opened is opens


def test_nothing_begins_while_it_is_open_and_everybody_is_told_for_how_long() -> None:
    state = dead()
    assert state.ask(BreakerRequest(wanted=5, ids=ids(5)), now=2_000) == BreakerReply(
        BreakerVerdict.OPEN, 0, COOLDOWN - 1_000
    )


def test_exactly_one_call_finds_out_whether_the_host_is_back() -> None:
    state = dead()
    now = 1_000 + COOLDOWN
    assert state.ask(BreakerRequest(wanted=50, ids=ids(50)), now=now) == BreakerReply(BreakerVerdict.PROBE, 1)
    assert state.ask(BreakerRequest(wanted=50, ids=ids(50, 100)), now=now + 1) == BreakerReply(BreakerVerdict.PROBED)


def test_a_probe_that_succeeds_closes_it_and_the_host_has_to_prove_itself() -> None:
    state = dead()
    state.ask(BreakerRequest(wanted=1, ids=("probe",)), now=40_000)
    answer = state.ask(BreakerRequest(settled=(("probe", CallOutcome.SUCCEEDED),), wanted=50, ids=ids(50)), now=40_001)
    assert answer == BreakerReply(BreakerVerdict.COUNTED, 15)


def test_a_probe_that_fails_opens_it_for_twice_as_long_up_to_five_minutes() -> None:
    state, now, waits = dead(), 1_000 + COOLDOWN, []
    for _ in range(6):
        state.ask(BreakerRequest(wanted=1, ids=("probe",)), now=now)
        answer = state.ask(BreakerRequest(settled=(("probe", CallOutcome.FAILED),)), now=now)
        assert (answer.verdict, answer.opened) == (BreakerVerdict.OPEN, True)
        waits.append(answer.wait_ms // 1000)
        now += answer.wait_ms
    assert waits == [60, 120, 240, 300, 300, 300]


def test_a_probe_that_was_cancelled_leaves_its_place_to_the_next() -> None:
    state = dead()
    state.ask(BreakerRequest(wanted=1, ids=("one",)), now=40_000)
    answer = state.ask(BreakerRequest(settled=(("one", CallOutcome.NONE),), wanted=1, ids=("two",)), now=40_001)
    assert answer == BreakerReply(BreakerVerdict.PROBE, 1)


def test_a_probe_nobody_hears_of_any_more_loses_its_place_and_its_say() -> None:
    state = dead()
    state.ask(BreakerRequest(wanted=1, ids=("lost",)), now=40_000)
    assert state.ask(BreakerRequest(wanted=1, ids=("two",)), now=40_000 + LEASE - 1).verdict is BreakerVerdict.PROBED
    assert state.ask(BreakerRequest(wanted=1, ids=("two",)), now=40_000 + LEASE).verdict is BreakerVerdict.PROBE
    late = BreakerRequest(settled=(("lost", CallOutcome.SUCCEEDED),), wanted=1, ids=("three",))
    assert state.ask(late, now=60_000).verdict is BreakerVerdict.PROBED


def test_a_probe_that_takes_long_keeps_its_place_while_its_worker_says_so() -> None:
    state = dead()
    state.ask(BreakerRequest(wanted=1, ids=("slow",)), now=40_000)
    for now in range(45_000, 100_000, 5_000):
        state.ask(BreakerRequest(alive=("slow",)), now=now)
    assert state.ask(BreakerRequest(wanted=1, ids=("two",)), now=100_000).verdict is BreakerVerdict.PROBED


def test_calls_from_before_it_opened_have_no_say_while_it_is_open() -> None:
    state = dead()
    answer = state.ask(BreakerRequest(succeeded=50, failed=3, settled=(("id-3", CallOutcome.SUCCEEDED),)), now=2_000)
    assert (answer.verdict, answer.wait_ms, answer.opened) == (BreakerVerdict.OPEN, COOLDOWN - 1_000, False)


def test_a_host_that_did_well_counts_as_well_for_five_minutes_after_its_last_success() -> None:
    spec = BreakerRequest(wanted=500, ids=ids(64))
    assert proven().ask(spec, now=PROVEN - 1) == BreakerReply(BreakerVerdict.FREE, 500)
    assert proven().ask(spec, now=PROVEN) == BreakerReply(BreakerVerdict.COUNTED, 16)
    state = proven()
    state.ask(BreakerRequest(failed=1), now=100_000)
    assert state.ask(spec, now=100_001) == BreakerReply(BreakerVerdict.COUNTED, 15, failed=1)


def test_counted_calls_of_a_worker_that_died_take_up_room_for_fifteen_seconds() -> None:
    state = LocalState(RULES)
    state.ask(BreakerRequest(wanted=16, ids=ids(16)), now=0)
    assert state.ask(BreakerRequest(wanted=9, ids=ids(9, 20)), now=LEASE - 1).granted == 0
    assert state.ask(BreakerRequest(wanted=9, ids=ids(9, 20)), now=LEASE).granted == 9


@dataclass
class Story:
    """A random sequence of turns, as some workers might take them."""

    random: random.Random
    now: int = 1_700_000_000_000
    number: int = 0
    alive: list[str] = field(default_factory=list)

    def next(self) -> BreakerRequest:
        self.now += self.random.choice([1, 50, 400, 3_000, 3_000, 16_000, 31_000])
        wanted = self.random.choice([0, 1, 1, 3, 20])
        self.number += 1
        mood = self.random.choice([CallOutcome.SUCCEEDED, CallOutcome.FAILED])
        settled = tuple(
            (call_id, self.random.choice([mood, mood, *CallOutcome]))
            for call_id in self.random.sample(self.alive, self.random.randint(0, len(self.alive)))
        )
        self.alive = [call_id for call_id in self.alive if call_id not in dict(settled)]
        succeeded, failed = self.random.choice([(0, 0), (0, 0), (2, 0), (0, 2), (3, 1), (12, 0)])
        names = tuple(f"{self.number}-{one}" for one in range(wanted))
        return BreakerRequest(succeeded, failed, settled, tuple(self.alive[:2]), wanted, names)

    def take(self, request: BreakerRequest, answer: BreakerReply) -> None:
        if answer.verdict in (BreakerVerdict.COUNTED, BreakerVerdict.PROBE):
            self.alive += request.ids[: answer.granted]


@pytest.fixture
async def timed_states(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Redis's side with the time of the story instead of the server's; nothing else of the script is changed."""
    script, changed = re.subn(
        r"redis\.call\('TIME'\)", "{math.floor(ARGV[3] / 1000), (ARGV[3] % 1000) * 1000}", shared.SCRIPT
    )
    assert changed == 1
    monkeypatch.setattr(shared, "SCRIPT", script)
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    states: Any = SharedStates(RULES, client)
    ask = states._script

    async def take(key: str, request: BreakerRequest, now: int) -> BreakerReply:
        async def with_time(keys: list[str], args: list[bytes]) -> Any:
            return await ask(keys=keys, args=[*args, now])

        states._script = with_time
        return await states.ask(key, request)

    yield take
    await client.aclose()


@pytest.mark.parametrize("seed", range(12))
async def test_redis_and_a_process_on_its_own_judge_alike(timed_states: Any, seed: int) -> None:
    local, story, seen = LocalState(RULES), Story(random.Random(seed)), set()
    key = f"test:{new_id()}"
    for _ in range(150):
        request = story.next()
        expected = local.ask(request, now=story.now)
        assert await timed_states(key, request, story.now) == expected, request
        story.take(request, expected)
        seen.add(expected.verdict)
    assert len(seen) >= 4, "the story was too quiet"


async def test_redis_judges_by_its_own_clock_and_forgets_what_nobody_asks_about() -> None:
    client = redis.asyncio.Redis.from_url(settings.REDIS_URL)
    rules = BreakerRules(cooldown_seconds=0.2, longest_cooldown_seconds=0.2)
    states, key = SharedStates(rules, client), f"test:{new_id()}"
    assert (await states.ask(key, BreakerRequest(failed=10))).opened
    answer = await states.ask(key, BreakerRequest(wanted=1, ids=("a",)))
    assert answer.verdict is BreakerVerdict.OPEN
    assert 0 < answer.wait_ms <= 200
    assert 890_000 < await client.pttl(shared.PREFIX + key) < 1_000_000
    await client.aclose()
