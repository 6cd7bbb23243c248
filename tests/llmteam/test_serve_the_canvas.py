"""The canvas's page, its policy, and its committed bundle."""

import hashlib
import json
import re

from django.contrib.staticfiles import finders
from django.test import Client

from devserver.folders import CHECKOUT

SOURCES = CHECKOUT / "integrations" / "canvas"
BUNDLE = CHECKOUT / "platform" / "llmteam" / "static" / "canvas"


def test_anybody_gets_the_page_which_loads_only_files_of_ours_and_calls_only_us() -> None:
    answer = Client().get("/canvas/")
    assert answer.status_code == 200
    assert not answer.cookies
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "img-src", "connect-src")} == {"'self'"}
    page = answer.content.decode()
    assert re.findall(r"<script[^>]*>([^<]*)", page) == [""], "no script stands in the page"
    for path in re.findall(r'(?:src|href)="/static/([^"]+)"', page):
        assert finders.find(path), path
    assert Client().post("/canvas/").status_code == 405


def test_the_bundle_is_of_the_sources_that_stand_beside_it() -> None:
    """The bytes are compared where Node is (make clients); this finds sources that were changed and not built."""
    names = ["build.mjs", "package.json", "package-lock.json", "tsconfig.json"]
    names += [f"src/{path.name}" for path in (SOURCES / "src").iterdir()]
    digest = hashlib.sha256()
    for name in sorted(names):
        digest.update(f"{name}\n".encode() + (SOURCES / name).read_bytes())
    assert (BUNDLE / "SOURCES.sha256").read_text().strip() == digest.hexdigest(), "make canvas builds it"


def test_the_bundle_evaluates_nothing_and_names_the_licences_of_what_is_in_it() -> None:
    script = (BUNDLE / "canvas.js").read_text()
    assert not re.search(r"\beval\(|new Function\(", script)
    licences = (BUNDLE / "LICENSES.txt").read_text()
    for name in json.loads((SOURCES / "package.json").read_text())["dependencies"]:
        assert f"\n{name} " in licences, name
    assert "(no text in the package)" not in licences


def test_the_lock_of_the_canvas_has_hashes_and_no_addresses() -> None:
    lock = json.loads((SOURCES / "package-lock.json").read_text())
    packages = {name: package for name, package in lock["packages"].items() if name}
    assert len(packages) > 20
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "resolved" not in (SOURCES / "package-lock.json").read_text()


def test_no_module_of_the_canvas_is_longer_than_ours_are() -> None:
    lines = {path.name: len(path.read_text().splitlines()) for path in (SOURCES / "src").glob("*.ts*")}
    assert len(lines) > 10
    assert max(lines.values()) <= 400
