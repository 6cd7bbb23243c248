"""Runner of one claimed run, from its claim to its release, whatever goes wrong."""

import logging
from collections.abc import Callable
from uuid import UUID

from runs.core import EventType
from runs.core.journal import chain_row
from runs.engine.errors import LeaseLost, RunRefused
from runs.engine.journal.journal import Closing, Journal
from runs.engine.memory.budget import MemoryBudget
from runs.engine.plans import PlanUnavailable
from runs.engine.run import run_endings
from runs.engine.run.execution import Execution
from runs.engine.run.pending_commands import PendingCommands, command_words
from runs.engine.run.waits import Waits
from runs.engine.services import HostServices
from runs.engine.store import journals
from runs.engine.store.claimed import Claimed, ClaimPurpose
from runs.engine.store.shares import LOSSES_TO_BE_ALONE, LOSSES_TO_STALL

log = logging.getLogger(__name__)


class Runner:
    """Executes one run and makes sure that it is given up properly: ended, parked, released or stalled."""

    def __init__(self, claimed: Claimed, around: HostServices, memory: MemoryBudget) -> None:
        self.claimed = claimed
        self._around = around
        self._execution: Execution | None = None
        self._draining = False
        self._signalled = False
        self._journal = Journal(
            run_id=claimed.run_id,
            tenant_id=claimed.tenant_id,
            epoch=claimed.epoch,
            clock=around.clock,
            seq=claimed.last_seq,
            size=claimed.journal_bytes,
            digest=claimed.digest,
            callback_events=frozenset(claimed.callback_events or ()),
            memory_limit=memory.share_bytes,
            grow=memory.add,
        )
        # Until its journal is read and counted, as much as that has.
        self._journal.hold(claimed.journal_bytes + len(claimed.input_text or ""))

    @property
    def is_suspect(self) -> bool:
        """Whether the run may kill its host: it has lost several, and no outcome was committed since."""
        has_lost = self.claimed.losses >= LOSSES_TO_BE_ALONE and not self._journal.has_progressed
        return has_lost and self.claimed.purpose is ClaimPurpose.EXECUTE and not self._is_to_be_stalled

    @property
    def tenant_id(self) -> UUID:
        """The run's tenant."""
        return self.claimed.tenant_id

    @property
    def held_bytes(self) -> int:
        """About what the run takes in memory."""
        return self._journal.held

    @property
    def is_leaving(self) -> bool:
        """Whether the run is released as soon as what is in flight has ended."""
        return self._draining

    @property
    def _is_to_be_stalled(self) -> bool:
        return self.claimed.losses >= LOSSES_TO_STALL and not self.claimed.signals_pending

    def signal(self) -> None:
        """Say that the run's inbox may hold something."""
        self._signalled = True
        if self._execution is not None:
            self._execution.signal()

    def drain(self) -> None:
        """Start nothing more, and release the run when what is in flight has ended."""
        self._draining = True
        if self._execution is not None:
            self._execution.drain()

    def shed(self) -> None:
        """Start nothing more, drop the pure work in flight, and release the run when the rest has ended."""
        self._draining = True
        if self._execution is not None:
            self._execution.shed()

    def refuse_more(self) -> None:
        """Have the run hold no more values than it does."""
        self._journal.memory_limit = self._journal.held

    def cut_short(self) -> None:
        """Stop what is in flight."""
        if self._execution is not None:
            self._execution.cut_short()

    async def run(self) -> None:
        """Execute the run until it is not this host's any more. Never raises, save when cancelled."""
        try:
            await self._execute()
        except LeaseLost:
            log.info("run %s has another owner", self.claimed.run_id)
        except RunRefused:
            error = run_endings.run_error("VALUE_REFUSED", "The database refused a value that this run recorded.")
            await self._give_up(lambda: run_endings.failed(self._journal, error))
        except PlanUnavailable as error:
            message = str(error)
            await self._give_up(
                lambda: run_endings.stalled(self._journal, code="STEP_TYPE_UNAVAILABLE", message=message)
            )
        except Exception:
            log.exception("run %s cannot be executed", self.claimed.run_id)
            message = "The engine could not continue this run; the workers' log says why."
            await self._give_up(lambda: run_endings.stalled(self._journal, code="ENGINE_ERROR", message=message))
        finally:
            if self._execution is not None:
                self._execution.abort()
            self._journal.let_go()

    async def _execute(self) -> None:
        if self.claimed.last_seq and not self.claimed.digest:
            await self._compute_digest()
        if self.claimed.purpose is ClaimPurpose.STALL:
            needed = ", ".join(self.claimed.step_types)
            raise PlanUnavailable(f"No worker has all step types and providers of this run: {needed}.")
        if self._is_to_be_stalled:
            message = f"{self.claimed.losses} workers in a row were lost while they executed this run."
            await self._give_up(lambda: run_endings.stalled(self._journal, code="OWNERS_LOST", message=message))
            return
        if self._draining:
            # Its journal is not even read.
            await self._around.writer.close(self._journal, run_endings.released(now=self._around.clock.now()))
            return
        ready = await self._around.plans.get(self.claimed.revision_id, self.claimed.semantics)
        execution = self._execution = Execution(self.claimed, ready, self._journal, self._around)
        if self._draining:
            execution.drain()
        if self._signalled:
            execution.signal()
        await execution.run()

    async def _compute_digest(self) -> None:
        """Compute the digest of a journal that an earlier release began: it was of another form."""
        digest = b""
        async for row in self._around.recorded(self.claimed.run_id, last_seq=self.claimed.last_seq):
            digest = chain_row(digest, row)
        self._journal.digest = digest

    async def _give_up(self, build: Callable[[], Closing]) -> None:
        """Close the run without executing anything more."""
        if self._execution is not None:
            self._execution.abort()
        self._journal.trouble = None
        try:
            is_closed = False
            while not is_closed:
                is_closed = await self._around.writer.close(self._journal, await self._closing(build))
        except (LeaseLost, RunRefused):
            log.warning("run %s cannot be given up here", self.claimed.run_id)

    async def _closing(self, build: Callable[[], Closing]) -> Closing:
        """Say how the run is given up. A cancel in its inbox comes first; what would stall is paused if asked to."""
        if not self._journal.seq:
            self._journal.append(EventType.SEGMENT_STARTED, run_endings.begun(self.claimed.input_text))
        received = await self._around.ask(lambda connection: journals.read_inbox(connection, self.claimed.run_id))
        orders = PendingCommands(self._journal)
        orders.receive(received)
        if orders.cancel is not None:
            reason = command_words(orders.cancel)["reason"]
            return run_endings.cancelled(self._journal, reason=reason, signal_ids=orders.held)
        closing = build()
        if orders.pause is not None and not closing.over:
            closing = run_endings.paused(self._journal, command_words(orders.pause), waits=Waits())
        closing.signal_ids = orders.held
        closing.leaves = tuple(news.signal_id for news in orders.news)
        return closing
