"""The canvas in Chromium: a segment drawn from nothing, saved, started and followed, through the public API only."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from devserver.folders import CHECKOUT
from tenants.access.issuing import revoke_api_key
from tenants.services import create_api_key
from tests.support.browser import DEVICES, Visitor
from tests.support.desk import Desk
from tests.support.process_ends import eventually

PUBLIC = ("/canvas/", "/static/", "/api/v1/", "/ws/v1/")
FIELDS = '{"visits": {"type": "integer"}, "name": {"type": "string"}}'
SCHEMA = f'{{"type": "object", "required": ["visits"], "properties": {FIELDS}}}'
EXAMPLES = sorted((CHECKOUT / "examples" / "segments").glob("*.json"))


@pytest.fixture(params=list(DEVICES))
def visitor(request: pytest.FixtureRequest, chromium: Browser, desk: Desk) -> Iterator[Visitor]:
    """Somebody with a key in front of the canvas, who asks nothing but what is public, wide and on a phone."""
    context = chromium.new_context(**DEVICES[request.param], accept_downloads=True)
    visitor = Visitor(context.new_page(), desk.server.url, request.param)
    asked: list[str] = []
    visitor.page.on("request", lambda sent: asked.append(sent.url))
    visitor.page.on("websocket", lambda socket: asked.append(socket.url))
    visitor.go("/canvas/")
    sign_in(visitor.page, new_key(desk)[0])
    yield visitor
    paths = {urlsplit(url).path for url in asked if not url.startswith("blob:")}
    assert all(path.startswith(PUBLIC) for path in paths), paths
    assert not any(urlsplit(url).query.find("llm_") >= 0 for url in asked), "a key in an address"
    context.close()


def new_key(desk: Desk) -> tuple[str, Any]:
    made = desk.apart(create_api_key, tenant=desk.tenant, name="editor")
    return made.text, made.api_key.id


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key or browser token").fill(key)
    page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("navigation", name="Palette")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)


def add(page: Page, card: str, step_id: str, **config: str) -> None:
    """Take a block from the palette and fill its form in."""
    page.get_by_role("navigation", name="Palette").get_by_role("button", name=card, exact=True).click()
    form = page.get_by_role("complementary", name="Properties")
    form.get_by_label("step_id").fill(step_id)
    for name, text in config.items():
        form.get_by_label(name, exact=name != "task_type").fill(text)


def block(page: Page, step_id: str) -> Any:
    return page.locator(f"[data-step='{step_id}']")


def draw_line(page: Page, source: str, port: str, target: str, target_port: str) -> None:
    """Draw from port to port with the mouse, as seen on the screen."""
    start = block(page, source).locator(f".source[data-handleid='{port}']")
    end = block(page, target).locator(f".target[data-handleid='{target_port}']")
    start.scroll_into_view_if_needed()
    first, last = start.bounding_box(), end.bounding_box()
    assert first is not None
    assert last is not None
    page.mouse.move(first["x"] + first["width"] / 2, first["y"] + first["height"] / 2)
    page.mouse.down()
    page.mouse.move((first["x"] + last["x"]) / 2, (first["y"] + last["y"]) / 2, steps=5)
    page.mouse.move(last["x"] + last["width"] / 2, last["y"] + last["height"] / 2, steps=5)
    page.mouse.up()


def connect(page: Page, source: str, port: str, target: str) -> None:
    """Connect by the form of the block, as one without a mouse does."""
    block(page, source).click(position={"x": 40, "y": 12})
    form = page.get_by_role("group", name="Connect")
    form.get_by_label("from port").select_option(port)
    form.get_by_label("to block").select_option(label=target)
    form.get_by_role("button", name="Connect").click()


def nothing_chosen(page: Page) -> None:
    page.locator(".react-flow__pane").click(position={"x": 5, "y": 5})
    expect(page.get_by_role("region", name="Segment")).to_be_visible()


def describe(page: Page, segment_id: str) -> None:
    nothing_chosen(page)
    form = page.get_by_role("region", name="Segment")
    form.get_by_label("segment_id").fill(segment_id)
    form.get_by_label("name", exact=True).fill("Greeting")
    form.get_by_label("input_schema").fill(SCHEMA)


def press(page: Page, name: str) -> None:
    page.locator(".toolbar").get_by_role("button", name=name, exact=True).click()


def verdict(page: Page) -> Any:
    return page.get_by_role("status", name="Validation")


def test_a_segment_is_drawn_from_nothing_saved_started_and_followed_to_its_end(desk: Desk, visitor: Visitor) -> None:
    page, wide = visitor.page, visitor.device == "desktop"
    add(page, "Condition", "known")
    expect(verdict(page)).to_have_text("1 error")
    expect(block(page, "known")).to_contain_text("'expression' is missing")
    page.get_by_label("expression").fill("input.visits > 1")
    add(page, "Transform", "again", expression="'Good to see you again, ' + input.name")
    add(page, "Human Task", "first", title="Greet {{ input.name }}?")
    expect(verdict(page)).to_have_text("Valid, 2 to note")
    page.get_by_role("button", name="Fit View").click()
    if wide:
        draw_line(page, "known", "true", "again", "input")
    else:
        connect(page, "known", "true", "again")
    connect(page, "known", "false", "first")
    expect(page.locator(".react-flow__edge")).to_have_count(2)
    press(page, "Lay out")
    describe(page, f"greeting_{visitor.device}")
    expect(verdict(page)).to_have_text("Valid")
    visitor.look("canvas-drawn")
    press(page, "Save")
    expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
    start(page, visits="1", name="Ann")
    expect(block(page, "known")).to_contain_text("completed")
    expect(block(page, "first")).to_contain_text("waiting")
    link = page.get_by_role("link", name="Open the task of first#1 in the inbox").get_attribute("href") or ""
    run_id = page.locator("[data-run]").inner_text()
    task = desk.platform.task({"run_id": run_id})
    assert urlsplit(link).path == f"/inbox/tasks/{task['task_id']}/"
    visitor.look("canvas-waiting")
    desk.platform.complete(task, "approved")
    expect(page.locator(".status")).to_have_text("completed")
    expect(block(page, "first")).to_contain_text("completed")
    block(page, "first").click(position={"x": 40, "y": 12})
    values = page.get_by_role("region", name="Run")
    expect(values.get_by_role("heading", name="Values of first")).to_be_visible()
    expect(values.get_by_label("inputs")).to_contain_text('"visits": 1')
    expect(values.get_by_label("output").last).to_contain_text('"decision": "approved"')
    visitor.look("canvas-completed")
    saved = desk.platform.caller.get(f"/api/v1/segments/greeting_{visitor.device}").json()["definition"]
    assert saved["entrypoint"] == "known"
    assert {(edge["from"], edge["from_port"], edge["to"]) for edge in saved["edges"]} == {
        ("known", "true", "again"),
        ("known", "false", "first"),
    }


def start(page: Page, **values: str) -> None:
    press(page, "Start")
    dialog = page.get_by_role("dialog")
    for name, text in values.items():
        dialog.get_by_label(name).fill(text)
    dialog.get_by_role("button", name="Start").click()


def test_a_token_that_ends_is_asked_for_again_and_what_is_drawn_stays(desk: Desk, visitor: Visitor) -> None:
    page = visitor.page
    key, key_id = new_key(desk)
    asked = {"scopes": ["segments:read", "segments:write"], "expires_in": 600}
    with desk.server.caller(key) as caller:
        token = caller.post("/api/v1/tokens", json=asked).json()["token"]
    page.reload()
    sign_in(page, token)
    add(page, "Transform", "greet", expression="'Hello'")
    describe(page, f"kept_{visitor.device}")
    expect(verdict(page)).to_have_text("Valid")
    desk.apart(revoke_api_key, tenant=desk.tenant, api_key_id=key_id)
    with desk.server.caller(token) as caller:
        assert eventually(lambda: caller.get("/api/v1/me").status_code == 401, seconds=20)
    with visitor.refused(401):
        press(page, "Save")
        expect(page.get_by_role("alert")).to_contain_text("Nothing of your drawing is lost.")
        visitor.look("canvas-token-ended")
        page.get_by_label("API key or browser token").fill("llm_nonsense")
        page.get_by_role("dialog").get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("The API key is not valid")
        sign_in(page, new_key(desk)[0])
    expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
    expect(block(page, "greet")).to_be_visible()


def test_a_reload_keeps_the_drawing_and_a_link_signs_in_without_leaving_its_key(desk: Desk, visitor: Visitor) -> None:
    page = visitor.page
    add(page, "Transform", "greet", expression="'Hello'")
    page.goto("about:blank")
    visitor.go(f"/canvas/#key={new_key(desk)[0]}")
    expect(block(page, "greet")).to_be_visible()
    assert page.url == f"{visitor.url}/canvas/"
    assert "llm_" not in page.evaluate("JSON.stringify({...sessionStorage, ...localStorage})")


def test_what_others_saved_meanwhile_is_not_overwritten_unasked(desk: Desk, visitor: Visitor) -> None:
    page, segment_id = visitor.page, f"shared_{visitor.device}"
    add(page, "Transform", "greet", expression="'Hello'")
    describe(page, segment_id)
    press(page, "Save")
    expect(page.get_by_text("Saved as revision 1.")).to_be_visible()
    theirs = desk.platform.caller.get(f"/api/v1/segments/{segment_id}").json()["definition"] | {"name": "Theirs"}
    assert desk.platform.caller.put(f"/api/v1/segments/{segment_id}", json=theirs).status_code == 201
    page.get_by_role("region", name="Segment").get_by_label("name", exact=True).fill("Mine")
    with visitor.refused(412):
        press(page, "Save")
        expect(page.get_by_role("button", name="Save all the same")).to_be_visible()
    assert desk.platform.caller.get(f"/api/v1/segments/{segment_id}").json()["name"] == "Theirs"
    page.get_by_role("button", name="Save all the same").click()
    expect(page.get_by_text("Saved as revision 3.")).to_be_visible()


def test_segments_are_imported_and_exported_without_a_loss(desk: Desk, visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.page
    for path in EXAMPLES if visitor.device == "desktop" else EXAMPLES[:2]:
        document = json.loads(path.read_text())
        press(page, "Import")
        page.get_by_label("JSON").fill(json.dumps(document))
        page.get_by_role("dialog").get_by_role("button", name="Import").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        with page.expect_download() as waiting:
            press(page, "Export")
        waiting.value.save_as(tmp_path / path.name)
        expected = desk.platform.validate(document)["normalized"]
        exported = json.loads((tmp_path / path.name).read_text())
        for step in exported["steps"]:
            step.pop("position")
        for step in expected["steps"]:
            step.pop("position", None)
        assert exported == expected, path.name
    press(page, "Import")
    page.get_by_label("JSON").fill('{"steps": ')
    page.get_by_role("dialog").get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("This is no JSON")
    page.get_by_label("JSON").fill("[]")
    page.get_by_role("dialog").get_by_role("button", name="Import").click()
    expect(page.get_by_role("alert")).to_contain_text("A segment is an object, not a list.")


def test_it_is_drawn_by_keyboard_alone_in_the_dark(desk: Desk, visitor: Visitor) -> None:
    page = visitor.page
    page.emulate_media(color_scheme="dark")
    visitor.tab_to("Condition")
    assert visitor.shows_focus()
    page.keyboard.press("Enter")
    expect(block(page, "condition")).to_be_visible()
    visitor.tab_to("Transform")
    page.keyboard.press("Enter")
    expect(block(page, "transform")).to_be_visible()
    page.locator(".react-flow__node", has=block(page, "condition")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Block condition")).to_be_visible()
    form = page.get_by_role("group", name="Connect")
    form.get_by_label("to block").focus()
    page.keyboard.type("transform")
    form.get_by_role("button", name="Connect").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".react-flow__edge")).to_have_count(1)
    visitor.look("canvas-dark")
    page.locator(".react-flow__node", has=block(page, "transform")).focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Delete")
    expect(block(page, "transform")).to_have_count(0)
    expect(page.locator(".react-flow__edge")).to_have_count(0)
