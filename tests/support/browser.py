"""A person in front of Chromium: every page they come to is looked at as a careful tester would."""

import contextlib
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, Response

from devserver.folders import CHECKOUT

NAMES: Final = ("chromium", "chromium-browser")
MISSING: Final = "make browser needs Chromium: install Debian's package `chromium` (apt-get install chromium)."
FLAGS: Final = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--force-prefers-reduced-motion",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
)  # fmt: skip
DEVICES: Final[dict[str, dict[str, Any]]] = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "device_scale_factor": 2,
        "is_mobile": True,
        "has_touch": True,
    },
}
PICTURES: Final = CHECKOUT / ".data" / "browser"
NARROWEST: Final = 360
SERIOUS: Final = {"serious", "critical"}
REFUSED: Final = re.compile(r"Failed to load resource: the server responded with a status of (\d+)")


def find_chromium() -> str | None:
    """The program, if there is one."""
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def launch(playwright: Playwright) -> Browser:
    """Start Chromium with an empty profile, so that it calls nobody but the pages under test."""
    return playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))


@dataclass
class Visitor:
    """Drives one page. ``expected`` are the statuses of refusals that a story brings about on purpose."""

    page: Page
    url: str
    device: str
    email: str = ""
    expected: set[int] = field(default_factory=set)
    complaints: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    friends: tuple[str, ...] = ()
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(f"page error: {error}"))
        self.page.on("request", self._watch)
        self.page.set_default_timeout(15_000)

    def go(self, path: str) -> Response | None:
        """Open an address of the platform."""
        return self.page.goto(f"{self.url}{path}")

    def look(self, name: str) -> None:
        """Take a picture, and find nothing to complain about."""
        self.page.wait_for_load_state("load")
        self.seen.append(name)
        PICTURES.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=PICTURES / f"{name}-{self.device}.png", full_page=True)
        self._fits(name)
        found = [item for item in _violations(self.page) if item["impact"] in SERIOUS]
        assert not found, f"{name} on a {self.device}: {[_told(item) for item in found]}"
        assert not self.complaints, f"{name} on a {self.device}: {self.complaints}"
        assert not self.foreign, f"{name} on a {self.device} asked others: {self.foreign}"

    def _fits(self, name: str) -> None:
        """Nothing stands outside of the page's width, nor of the narrowest phone's."""
        size = self.page.viewport_size
        assert size is not None
        for width in [size["width"], NARROWEST] if self.device == "phone" else [size["width"]]:
            self.page.set_viewport_size({"width": width, "height": size["height"]})
            scrolled, seen = self.page.evaluate("[document.scrollingElement.scrollWidth, window.innerWidth]")
            assert scrolled <= seen == width, f"{name} scrolls sideways at {width}: {scrolled} of {seen}"
        self.page.set_viewport_size(size)

    @contextlib.contextmanager
    def refused(self, status: int) -> Iterator[None]:
        """What is done here is answered with this status, which a browser's console tells as an error."""
        self.expected.add(status)
        yield
        self.expected.discard(status)

    def focused(self) -> str:
        """The text, or the name, of what has the focus."""
        told: str = self.page.evaluate(
            "(document.activeElement.innerText || document.activeElement.name || document.activeElement.id).trim()"
        )
        return told

    def shows_focus(self) -> bool:
        """Whether what has the focus is seen to have it."""
        outline: str = self.page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        return outline not in {"none", ""}

    def tab_to(self, text: str, *, most: int = 60) -> None:
        """Press the tabulator until something has the focus, as somebody without a mouse does."""
        for _ in range(most):
            self.page.keyboard.press("Tab")
            if self.focused().startswith(text):
                return
        raise AssertionError(f"the tabulator does not lead to {text!r}")

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning"}:
            return
        refusal = REFUSED.match(message.text)
        if refusal is None or int(refusal[1]) not in self.expected:
            where = message.location
            told = f"{message.text[:300]} ({where.get('url')}:{where.get('lineNumber')})"
            self.complaints = [*dict.fromkeys([*self.complaints, told])]

    def _watch(self, request: Any) -> None:
        if not request.url.startswith((self.url, *self.friends, "data:")):
            self.foreign.append(request.url)


def _violations(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return found


def _told(item: dict[str, Any]) -> str:
    return f"{item['id']} ({item['impact']}): " + "; ".join(node["html"][:160] for node in item["nodes"][:5])


def clear_pictures() -> Path:
    """Drop the pictures of an earlier run."""
    shutil.rmtree(PICTURES, ignore_errors=True)
    PICTURES.mkdir(parents=True)
    return PICTURES
