"""Where things stand: source roots, packages, sizes."""

import ast
import platform
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOP = {
    "platform",
    "tenants",
    "segments",
    "runs",
    "audit",
    "humantasks",
    "tests",
    "examples",
    "benchmarks",
    "docs",
    "deploy",
    "integrations",
}


NO_NOUNS = re.compile(
    "(what|who|whom|whose|how|where|when|which|why|whether|whoever|whatever|everything|anything|can|does)\\b",
    re.IGNORECASE,
)
"""Words that a module's first line does not open with: it names a thing."""


@cache
def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(text_of(path))


@pytest.fixture(scope="module", autouse=True)
def forget_trees() -> Iterator[None]:
    yield
    tree.cache_clear()


@cache
def modules() -> list[Path]:
    folders = ("platform", "tenants", "segments", "runs", "audit", "humantasks", "examples", "benchmarks", "tests")
    found = [path for folder in folders for path in (ROOT / folder).rglob("*.py") if "migrations" not in path.parts]
    assert len(found) > 200
    return found


def test_our_platform_folder_does_not_hide_the_standard_librarys_module() -> None:
    assert not (ROOT / "platform" / "__init__.py").exists()
    assert platform.python_version()


def test_only_the_top_of_the_tests_is_a_package() -> None:
    assert [path.parent.name for path in (ROOT / "tests").rglob("__init__.py")] == ["tests"]


def test_the_top_level_is_the_house_style_s() -> None:
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")}
    assert folders - {"static", "dist"} <= TOP
    assert {"manage.py", "pyproject.toml", "README.md", "ARCHITECTURE.md"} <= {path.name for path in ROOT.iterdir()}


def test_no_folder_of_the_product_has_over_20_modules() -> None:
    inside = Counter(path.parent for path in modules() if "tests" not in path.parts and path.name != "__init__.py")
    assert max(inside.values()) > 15
    assert {str(folder.relative_to(ROOT)): count for folder, count in inside.items() if count > 20} == {}


def test_every_class_of_the_product_has_a_name_of_its_own() -> None:
    outside = {"tests", "examples", "benchmarks"}
    product = [path for path in modules() if path.relative_to(ROOT).parts[0] not in outside]
    places: dict[str, list[str]] = defaultdict(list)
    for path in product:
        for node in tree(path).body:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(str(path.relative_to(ROOT)))
    assert len(places.pop("Command")) > 1, "Django wants each management command called so"
    assert len(places) > 300
    assert {name: found for name, found in places.items() if len(found) > 1} == {}


def test_no_module_is_over_400_lines_and_no_function_over_40() -> None:
    too_long = []
    for path in modules():
        text = text_of(path)
        if len(text.splitlines()) > 400:
            too_long.append(str(path.relative_to(ROOT)))
        if "tests" in path.parts:
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body and body[-1].end_lineno - body[0].lineno >= 40:  # type: ignore[operator]
                    too_long.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not too_long


def test_bodies_and_queries_are_judged_in_one_place() -> None:
    judging = [
        str(path.relative_to(ROOT)) for path in modules()
        if "tests" not in path.parts and "raise_exception=True" in text_of(path)
    ]  # fmt: skip
    assert judging == ["platform/foundation/requests.py"]


def test_there_is_one_bounded_cache() -> None:
    making_room = re.compile(r"OrderedDict\(|popitem\(last|del [\w.]+\[next\(iter\(")
    product = [path for path in modules() if path.relative_to(ROOT).parts[0] not in {"tests", "benchmarks", "examples"}]
    found = {str(path.relative_to(ROOT)) for path in product if making_room.search(text_of(path))}
    assert found == {
        "platform/kernel/bounded_cache.py",
        "platform/kernel/compute/fair_queue.py",  # what waits, in turn
        "platform/kernel/egress/pool.py",  # open connections, by the time they were given back
        "platform/kernel/turns/fair_threads.py",  # what waits, in turn
        "platform/kernel/turns/turn_queue.py",  # last turns, by their order
        "platform/kernel/turns/processor_times.py",  # owners with work of late
        "runs/middleware/circuit.py",  # breakers: only those that are idle may go
    }


def test_a_path_in_the_settings_is_read_by_the_app_it_leads_into() -> None:
    reading = {
        str(path.relative_to(ROOT)) for path in modules()
        if "tests" not in path.parts and "import_string(" in text_of(path)
    }  # fmt: skip
    assert reading == {"runs/steps/registry.py", "runs/engine/middleware.py", "runs/runtime.py"}


def test_the_first_line_of_a_module_names_a_thing() -> None:
    without, riddles = [], []
    for path in modules():
        if "tests" in path.parts:
            continue
        name = str(path.relative_to(ROOT))
        text = ast.get_docstring(tree(path)) or ""
        if not text and path.name != "__init__.py":
            without.append(name)
        elif text and NO_NOUNS.match(text):
            riddles.append(name)
    assert (without, riddles) == ([], [])


def test_the_first_line_of_a_class_names_a_thing() -> None:
    riddles, count = [], 0
    for path in modules():
        if path.relative_to(ROOT).parts[0] == "tests":
            continue
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.ClassDef):
                count += 1
                if NO_NOUNS.match(ast.get_docstring(node) or ""):
                    riddles.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert count > 800
    assert riddles == []


def test_the_first_line_of_a_function_or_property_opens_with_no_question_but_whether() -> None:
    riddles, count = set(), 0
    for path in modules():
        if path.relative_to(ROOT).parts[0] == "tests":
            continue
        for node in ast.walk(tree(path)):
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) or not (text := ast.get_docstring(node)):
                continue
            count += 1
            is_flag = text.startswith("Whether ") and node.returns is not None and "bool" in ast.unparse(node.returns)
            if NO_NOUNS.match(text) and not is_flag:
                riddles.add(f"{path.relative_to(ROOT)}:{node.name}")
    assert count > 3000
    assert riddles == set()


def test_the_line_below_a_constant_or_field_names_a_thing_or_says_whether() -> None:
    riddles, count = [], 0
    for path in modules():
        name = str(path.relative_to(ROOT))
        if name.startswith("tests/"):
            continue
        for above, text in lines_below(path):
            count += 1
            is_flag = text.startswith("Whether ") and "bool" in ast.unparse(getattr(above, "annotation", above))
            if NO_NOUNS.match(text) and not is_flag:
                riddles.append(f"{name}: {text}")
    assert count > 400
    assert riddles == []


def lines_below(path: Path) -> Iterator[tuple[ast.stmt, str]]:
    """The texts that stand below an assignment, as docstrings of constants and fields do."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef):
            for above, below in pairwise(node.body):
                value = below.value if isinstance(below, ast.Expr) else None
                if isinstance(above, ast.Assign | ast.AnnAssign) and isinstance(value, ast.Constant):
                    yield above, str(value.value)


def test_no_page_is_cited_that_is_not_here() -> None:
    listed = subprocess.run(
        ["git", "ls-files"],  # noqa: S607 - the git of the checkout
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\n")
    pages = {Path(name) for name in listed if name.endswith(".md")}
    missing, cited = [], 0
    for name in listed:
        if not name.endswith((".py", ".md", ".toml", ".json", ".html")) or name in {
            "CHANGELOG.md",
            "tests/test_layout.py",
        }:
            continue
        for page in re.findall(r"(?<![\w./-])[\w./-]*\w\.md\b", (ROOT / name).read_text(encoding="utf-8")):
            cited += 1
            places = [ROOT, ROOT / "docs", (ROOT / name).parent]
            if name.startswith("tests/"):  # which join a folder of the docs and a page
                places += [ROOT / "docs" / folder for folder in ("howto", "reference", "explanation")]
            if not any((place / page).is_file() for place in places):
                missing.append(f"{name}: {page}")
    assert cited > len(pages)
    assert not missing, "\n".join(missing)


def test_every_module_that_architecture_names_is_there() -> None:
    names = {path.name for path in modules()}
    named = set(re.findall(r"([\w/]+\.py)`", (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")))
    assert len(named) > 50
    assert {name for name in named if Path(name).name not in names} == set()


def test_every_file_on_the_way_to_a_first_change_is_there() -> None:
    page = (ROOT / "docs" / "contributing" / "five-changes.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w./]+/[\w.]+\.py)`", page) if "<" not in name]
    assert len(named) > 12
    assert [name for name in named if not (ROOT / name).is_file()] == []


def test_every_picture_of_the_docs_is_small_and_shown_and_every_one_shown_is_there() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    shown = {
        (page.parent / name).resolve()
        for page in pages
        for name in re.findall(r"!\[[^\]]+\]\(([^)]+\.png)\)", page.read_text(encoding="utf-8"))
    }
    pictures = {path.resolve(): path.stat().st_size for path in (ROOT / "docs").rglob("*.png")}
    assert len(pictures) >= 5
    assert shown == set(pictures)
    assert max(pictures.values()) < 150_000
