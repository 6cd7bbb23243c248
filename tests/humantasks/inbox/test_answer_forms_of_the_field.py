"""People answer forms as programs write their schemas: every case of `tests/cases/field.json` that is about them."""

from typing import Any

import pytest

from humantasks.types import TaskStatus
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.field_cases import cases_of
from tests.support.forms import posted_of
from tests.support.inbox import a_task, again, client_of


@pytest.mark.parametrize("case", cases_of("forms"))
def test_what_is_typed_is_what_the_schema_means(acme: Customer, ann: Membership, case: dict[str, Any]) -> None:
    task, browser = a_task(acme.tenant, "input", form=case["form"], data=None), client_of(ann)
    answer = browser.get(f"/inbox/tasks/{task.id}/").context["page"].answer
    shown = {"decision": "approved", "content_hash": answer.content_hash, "comment": "", **posted_of(answer.form)}
    sent = browser.post(f"/inbox/tasks/{task.id}/decide/", {**shown, **case["typed"]})
    if case["data"] is None:
        assert (sent.status_code, again(task).status) == (422, TaskStatus.OPEN)
    else:
        assert sent.status_code == 303
        assert again(task).decisions.get().data == case["data"]
