"""Times are written and read in the zone of whoever looks, and the zone is named; without one it is UTC."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from foundation.scope import tenant_scope
from humantasks.inbox.responses import ZONE
from humantasks.models import HumanTask
from tenants.models import Membership
from tests.conftest import Customer
from tests.support.inbox import a_task, again, client_of, send

DUE = datetime(2026, 7, 1, 10, 30, tzinfo=UTC)
FORM = {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}}}
TOKYO = ZoneInfo("Asia/Tokyo")


@pytest.mark.parametrize(
    ("zone", "said"),
    [
        ("", "1 July 2026, 10:30 UTC"),
        ("Europe/Riga", "1 July 2026, 13:30 EEST"),
        ("Asia/Tokyo", "1 July 2026, 19:30 JST"),
        ("Asia/Dubai", "1 July 2026, 14:30 UTC+04"),
        ("Mars/Base", "1 July 2026, 10:30 UTC"),
        ("../../etc/passwd", "1 July 2026, 10:30 UTC"),
    ],
)
def test_a_page_tells_times_in_the_browser_s_zone(acme: Customer, ann: Membership, zone: str, said: str) -> None:
    task, browser = a_task(acme.tenant), client_of(ann)
    with tenant_scope(acme.tenant.id):
        HumanTask.objects.filter(id=task.id).update(due_at=DUE)
    browser.cookies[ZONE] = zone
    assert said in browser.get(f"/inbox/tasks/{task.id}/").text
    assert said in browser.get("/inbox/?box=all").text


def test_a_time_is_read_in_the_zone_its_form_was_written_in(acme: Customer, ann: Membership) -> None:
    task, browser = a_task(acme.tenant, "input", form=FORM, data={"at": "2026-07-01T10:30:00Z"}), client_of(ann)
    browser.cookies[ZONE] = "Asia/Tokyo"
    page = browser.get(f"/inbox/tasks/{task.id}/").text
    assert 'value="2026-07-01T19:30"' in page
    assert "In the zone Asia/Tokyo." in page
    browser.cookies[ZONE] = "Europe/Riga"
    assert send(browser, task, "approved", data__at="2026-07-01T20:00", zone="Asia/Tokyo").status_code == 303
    assert again(task).decisions.get().data == {"at": "2026-07-01T11:00:00Z"}


def test_an_absence_is_read_in_one_s_zone(acme: Customer, ann: Membership) -> None:
    browser = client_of(ann)
    browser.cookies[ZONE] = "Asia/Tokyo"
    asked = {"away_from": "2027-07-01T09:00", "away_until": "", "stands_in": "", "zone": "Asia/Tokyo"}
    assert browser.post("/inbox/absence/", asked).status_code == 303
    ann.refresh_from_db()
    assert ann.away_from == datetime(2027, 7, 1, 9, tzinfo=TOKYO)
    assert 'value="2027-07-01T09:00"' in browser.get("/inbox/absence/").text
