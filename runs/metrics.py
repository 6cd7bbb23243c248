"""Prometheus metrics of runs in this process. No tenant is named: whoever reads a metric may see all of it."""

from functools import lru_cache
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from kernel.egress.backend import LOOKUPS

OTHER: Final = "other"
MAX_MODELS: Final = 200
"""Different models counted by name. A tenant chooses the names, and each would take memory for good."""
_SECONDS: Final = (0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)

ATTEMPTS: Final = Counter("llmteam_step_attempts", "Attempts of steps that have ended.", ["step_type", "outcome"])
ATTEMPT_SECONDS: Final = Histogram(
    "llmteam_step_attempt_seconds", "How long attempts took.", ["step_type"], buckets=_SECONDS
)
DEFERRED: Final = Counter("llmteam_steps_deferred", "Attempts put off at no cost.", ["reason"])
CIRCUITS_OPENED: Final = Counter("llmteam_circuits_opened", "Circuit breakers that opened, or opened again.")
SHARED_STATE_LOCAL: Final = Gauge(
    "llmteam_shared_state_local",
    "1 while Redis is away and this process keeps to bounds of its own.",
    ["part"],
)
MODEL_TOKENS: Final = Counter("llmteam_model_tokens", "Tokens models took.", ["provider", "model", "direction"])
MODEL_COST: Final = Counter(
    "llmteam_model_cost_dollars",
    "What models cost, where a price is known.",
    [
        "provider",
        "model",
    ],
)
RUNS_OWNED: Final = Gauge("llmteam_runs_owned", "Runs this process executes now.")
LOOKUPS_WAITING: Final = Gauge("llmteam_lookups_waiting", "Names of hosts that wait for a thread to look them up.")
LOOKUPS_WAITING.set_function(lambda: LOOKUPS.waiting)
RUNS_GIVEN_UP: Final = Counter(
    "llmteam_runs_given_up", "Runs this process ended, parked or let go of, by their status then.", ["status"]
)
HOSTS_LOST: Final = Counter(
    "llmteam_hosts_lost",
    "Hosts this process found dead, by what showed it: their lease, or their session's lock.",
    ["by"],
)
JOURNAL_COMMITS: Final = Counter("llmteam_journal_commits", "Transactions that wrote journals.")
LONG_TURN_SECONDS: Final = Histogram(
    "llmteam_loop_long_turn_seconds",
    "Turns of a worker's event loop over 20 ms: how long it worked, or how long a processor or a lock was waited for.",
    ["cause"],
    buckets=(0.05, 0.1, 0.25, 1, 5, 30),
)
SLOW_READERS_CUT: Final = Counter("llmteam_slow_readers_cut", "Connections ended because their caller did not read.")
CALLS: Final = Counter("llmteam_calls", "Calls of runs that wait for one, by what became of them.", ["outcome"])
ANSWERS_LEFT_OUT: Final = Counter(
    "llmteam_answers_left_out", "Answers not sent because their tenant left too much of others unread."
)
MEMORY_HELD: Final = Gauge("llmteam_memory_held_bytes", "About what the runs of this process hold in memory.")
MEMORY_BUDGET: Final = Gauge("llmteam_memory_budget_bytes", "What the runs of this process may hold in memory.")
CLAIMS_HELD_BACK: Final = Counter(
    "llmteam_claims_held_back", "Times nothing was claimed of tenants that hold much, as memory was short."
)
RUNS_RELEASED_FOR_MEMORY: Final = Counter(
    "llmteam_runs_released_for_memory", "Runs given back to the queue because memory was short."
)
RUNS_OUT_OF_MEMORY: Final = Counter(
    "llmteam_runs_out_of_memory", "Values refused because their run would have held more than its share of memory."
)

_models: set[tuple[str, str]] = set()


@lru_cache(maxsize=4 * MAX_MODELS)
def model_labels(provider: str, model: str) -> tuple[str, str]:
    """Say under which names a model is counted: its own, or ``other`` once too many are."""
    if (provider, model) in _models or len(_models) < MAX_MODELS:
        _models.add((provider, model))
        return provider, model
    return OTHER, OTHER
