"""The platform with people in front of it."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from tenants.members.services import invite_member
from tenants.models import MemberRole, Tenant
from tests.support.platform import Platform
from tests.support.process_ends import eventually
from tests.support.provider import IdentityServer
from tests.support.refund_desk import ORDER
from tests.support.server import ServerProcess

Made = TypeVar("Made")
SECONDS = 20


@dataclass(frozen=True)
class Desk:
    """A tenant's runs, by the API; rows that no API makes are made by ``apart``."""

    platform: Platform
    server: ServerProcess
    tenant: Tenant
    thread: ThreadPoolExecutor
    provider: IdentityServer

    def invite(self, email: str, name: str, groups: Sequence[str]) -> None:
        """Give somebody a company account, and invite them."""
        self.provider.add(email, email=email, email_verified=True, given_name=name, family_name="Reviewer")
        self.apart(
            invite_member, tenant=self.tenant, actor="system", email=email, role=MemberRole.REVIEWER, groups=groups
        )

    def apart(self, make: Callable[..., Made], *args: Any, **kwargs: Any) -> Made:
        """Do something with the database, where no event loop runs."""
        return self.thread.submit(make, *args, **kwargs).result(30)

    def start(self, document: dict[str, Any], run_input: Any = ORDER) -> dict[str, Any]:
        """Start a run, and wait until it waits for a person."""
        answer = self.platform.caller.post("/api/v1/runs", json={"segment": document, "input": run_input})
        assert answer.status_code in {200, 201, 202}, answer.text
        run: dict[str, Any] = answer.json()
        assert eventually(lambda: self.state(run)["status"] == "waiting", seconds=SECONDS), self.state(run)
        return run

    def state(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run as it is now."""
        found: dict[str, Any] = self.platform.caller.get(run["links"]["self"]).json()
        return found

    def end(self, run: dict[str, Any]) -> dict[str, Any]:
        """The run as it is once it is over."""
        assert eventually(lambda: self.state(run)["status"] == "completed", seconds=SECONDS), self.state(run)
        return self.state(run)
