"""Hostile material in Chromium: nothing runs, nothing is loaded, the policy reports no breach; wide and on a phone."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.browser import DEVICES, Visitor
from tests.support.desk import Desk
from tests.support.refund_desk import refund_desk

Visit = Callable[..., AbstractContextManager[Visitor]]
HOSTILE = """# Please <script>alert(1)</script>

<img src=x onerror=alert(1)> ![pixel](https://evil.test/pixel.png) [bank](https://evil.test/login)
[run](javascript:alert(1)) <svg onload=alert(1)>

| item | price |
|:-----|------:|
| lamp | 1250  |

```
<iframe src="https://evil.test"></iframe>
```
"""
BREACHES = "window.breaches = []; addEventListener('securitypolicyviolation', e => breaches.push(e.violatedDirective))"
IS_IN_SIGHT = (
    "node => { const { top, bottom } = node.getBoundingClientRect(); return top >= 0 && bottom <= innerHeight; }"
)


@pytest.mark.parametrize("device", list(DEVICES))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_and_the_decision_stays_in_sight(desk: Desk, visit: Visit, device: str, scheme: Any) -> None:
    name = f"mallory_{device}_{scheme}"
    title = f"Hostile, {device}, {scheme}?"
    with visit(name, device, name, color_scheme=scheme) as visitor:
        page = visitor.page
        page.add_init_script(BREACHES)
        page.on("dialog", lambda dialog: visitor.complaints.append(dialog.message))
        lines = [f"line {number} of https://evil.test/{number}" for number in range(90)]
        desk.start(refund_desk(title=title, description=HOSTILE, form=None, assignee_ref=name), {"lines": lines})
        visitor.go("/inbox/?box=groups")
        page.get_by_role("link", name=title).click()
        expect(page.get_by_role("heading", name="Please <script>alert(1)</script>")).to_be_visible()
        assert (
            page.evaluate("document.querySelectorAll('.desk img, .desk script, .desk svg, .desk iframe').length") == 0
        )
        page.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        visitor.look(f"material-{scheme}")
        approve = page.get_by_role("button", name="Approve as it is")
        for part in ("0", "document.body.scrollHeight / 2"):
            page.evaluate(f"window.scrollTo(0, {part})")
            assert approve.evaluate(IS_IN_SIGHT), part
        assert page.get_by_role("link", name="bank (https://evil.test/login)").get_attribute("rel") == (
            "noopener noreferrer nofollow"
        )
        assert page.evaluate("breaches") == []
