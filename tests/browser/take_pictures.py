"""Pictures of the inbox, a run's page and the console for the docs, from a platform as `make run` starts it.

Run by `make pictures`. The data are those of the examples: refunds somebody decides, and the return desk's letters.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

from devserver import processes
from devserver.folders import CHECKOUT
from examples.return_desk.client import JsonClient
from examples.return_desk.generate import SAMPLE
from examples.return_desk.invoices import read_invoices
from examples.return_desk.letters import REF, writer
from examples.return_desk.shop import Shop
from tests.support.browser import DEVICES, MISSING, find_chromium, launch

NAME: Final = "pictures"
FOLDER: Final = CHECKOUT / "docs" / "pictures"
EXAMPLES: Final = CHECKOUT / "examples"
MAX_BYTES: Final = 150_000
REFUNDS: Final = (
    ("Ann", 120, "The cup came broken.", None),
    ("Bao Nguyen", 64.5, "The wrong colour was sent.", None),
    ("Carla Ruiz", 18, "Ordered twice by mistake.", "approved"),
    ("Dmitri Orlov", 480, "Changed his mind after half a year.", "rejected"),
)
"""Customer, amount, reason, and what was decided before anybody looks."""
CANCELLATION: Final = "C700154"
"""One the return desk asks a person about."""
DECIDE: Final = "Refund of 120 EUR for Ann?"


def main() -> int:
    """Take all pictures anew; a sentence and 1 where Chromium is missing."""
    if find_chromium() is None:
        print(MISSING, file=sys.stderr)
        return 1
    FOLDER.mkdir(exist_ok=True)
    with (
        running_platform() as (url, access),
        Shop(read_invoices(SAMPLE)).open() as shop,
        writer() as letters,
        sync_playwright() as playwright,
    ):
        client = JsonClient(url, headers={"Authorization": f"Bearer {access['api_key']}"})
        client.call("PUT", f"/api/v1/connections/{REF}", content=letters.connection)
        letter = start(client, "return_desk/segment", {"shop_url": shop.url, "invoice_no": CANCELLATION})
        for refund in REFUNDS:
            ask_for(client, *refund)
        browser = launch(playwright)
        look_as_rita(browser, url, letter["run_id"])
        look_as_operator(browser, url, access["admin"])
        browser.close()
    for picture in sorted(FOLDER.glob("*.png")):
        print(f"{picture.relative_to(CHECKOUT)}  {picture.stat().st_size / 1000:.0f} kB")
        if picture.stat().st_size > MAX_BYTES:
            raise SystemExit(f"{picture.name} is larger than {MAX_BYTES} bytes.")
    return 0


@contextmanager
def running_platform() -> Iterator[tuple[str, dict[str, Any]]]:
    """Start everything with an empty database; give the address and the demo's keys."""
    data = CHECKOUT / ".data" / NAME
    shutil.rmtree(data, ignore_errors=True)
    port = processes.free_port()
    process = subprocess.Popen(
        [sys.executable, "-m", "devserver", "run", "--name", NAME],
        env={**os.environ, "PORT": str(port)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if not any("Ctrl-C stops everything" in line for line in process.stdout):
            raise SystemExit("The platform did not start.")
        yield f"http://127.0.0.1:{port}", json.loads((data / "demo.json").read_text())
    finally:
        process.terminate()
        process.wait(30)


def start(client: JsonClient, name: str, run_input: dict[str, Any]) -> dict[str, Any]:
    """Save an example, start a run of it, and wait until it waits for a person."""
    segment = json.loads((EXAMPLES / f"{name}.json").read_text())
    place = f"/api/v1/segments/{segment['segment_id']}"
    client.call("PUT", place, content=segment)
    run: dict[str, Any] = client.call("POST", f"{place}/runs?wait=30", content={"input": run_input}).content
    assert run["status"] == "waiting", run
    return run


def ask_for(client: JsonClient, customer: str, amount: float, reason: str, decision: str | None) -> None:
    """Ask for a refund, and decide it where that is said."""
    run = start(client, "segments/approve_refund", {"customer": customer, "amount": amount, "reason": reason})
    if decision is not None:
        comment = "Beyond the term of return." if decision == "rejected" else ""
        place = f"/api/v1/human-tasks/{run['waiting_for'][0]['task_id']}/complete"
        client.call("POST", place, content={"decision": decision, "comment": comment})
        client.call("GET", f"/api/v1/runs/{run['run_id']}?wait=30&until=over")


def look_as_rita(browser: Browser, url: str, letter: str) -> None:
    """Sign in as the people of the README do, and look at the list, a task and the return desk's run."""
    page = browser.new_context(**DEVICES["desktop"]).new_page()
    page.goto(f"{url}/inbox/?box=groups")
    page.get_by_role("link", name="Sign in with your company account").click()
    take(page, "sign-in", height=560)
    page.get_by_role("button", name="Rita Reviewer").click()
    page.get_by_role("link", name=DECIDE).wait_for()
    take(page, "inbox", height=700)
    page.set_viewport_size(DEVICES["phone"]["viewport"])
    take(page, "inbox-phone", height=844)
    page.set_viewport_size(DEVICES["desktop"]["viewport"])
    page.get_by_role("link", name=DECIDE).click()
    page.get_by_role("heading", name=DECIDE).wait_for()
    take(page, "task", height=980)
    page.goto(f"{url}/inbox/runs/{letter}/")
    take(page, "run", height=None)
    page.context.close()


def look_as_operator(browser: Browser, url: str, admin: dict[str, str]) -> None:
    """Sign in with the demo's password, and look at the list of runs."""
    page = browser.new_context(**DEVICES["desktop"]).new_page()
    page.goto(f"{url}/admin/runs/run/")
    page.fill("input[name=username]", admin["username"])
    page.fill("input[name=password]", admin["password"])
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/admin/runs/run/$"))
    page.wait_for_load_state("networkidle")
    take(page, "console", height=640)
    page.context.close()


def take(page: Page, name: str, *, height: int | None) -> Path:
    """Take a picture of a page's beginning, or of the whole page."""
    size = page.viewport_size
    assert size is not None
    if height is not None:
        page.set_viewport_size({"width": size["width"], "height": height})
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, full_page=height is None)
    page.set_viewport_size(size)
    return path


if __name__ == "__main__":
    sys.exit(main())
