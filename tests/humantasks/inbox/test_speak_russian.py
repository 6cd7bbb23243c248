"""Every sentence of the pages and mails has a Russian one, in the catalog that is shipped."""

import ast
import re
from pathlib import Path

import pytest
from django.utils.translation import trans_real

ROOT = Path(__file__).resolve().parents[3]
WIRING = Path("platform/llmteam")
FOLDERS = [ROOT / "humantasks", ROOT / "runs" / "templatetags", ROOT / "runs" / "templates" / "runs"]
FOLDERS += [ROOT / "tenants", ROOT / WIRING / "templates"]
CALLS = {"_", "gettext", "gettext_lazy", "gettext_noop", "ngettext"}


def sentences_of_code(path: Path) -> set[str]:
    calls = (node for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Call))
    first = (call.args[0] for call in calls if isinstance(call.func, ast.Name) and call.func.id in CALLS and call.args)
    return {str(text.value) for text in first if isinstance(text, ast.Constant)}


def sentences_of_page(path: Path) -> set[str]:
    html = path.read_text(encoding="utf-8")
    found = set(re.findall(r'{% translate "([^"]+)"', html))
    for block in re.findall(r"{% blocktranslate[^%]*%}(.*?){% (?:plural|endblocktranslate) %}", html, re.DOTALL):
        found.add(re.sub(r"{{ *(\w+) *}}", r"%(\1)s", block))
    return found


def all_sentences() -> set[str]:
    found: set[str] = set()
    for folder in FOLDERS:
        for path in folder.rglob("*.py"):
            found |= sentences_of_code(path)
        for path in (*folder.rglob("*.html"), *folder.rglob("*.txt")):
            found |= sentences_of_page(path)
    return found


def test_every_sentence_is_translated() -> None:
    catalog = trans_real.translation("ru")._catalog
    sentences = all_sentences()
    missing = [text for text in sentences if not (catalog.get(text) or catalog.get((text, 0)))]
    assert len(sentences) > 180
    assert not missing


@pytest.mark.parametrize("app", ["humantasks", "runs", WIRING])
def test_what_is_shipped_is_what_is_written(app: str | Path) -> None:
    folder = ROOT / app / "locale" / "ru" / "LC_MESSAGES"
    written = folder.joinpath("django.po").read_text(encoding="utf-8")
    shipped = folder.joinpath("django.mo").read_bytes()
    texts = re.findall(r'^msgstr(?:\[\d\])? "(.+)"$', written, re.MULTILINE)
    lost = [text for text in texts if text.replace('\\"', '"').replace("\\n", "\n").encode() not in shipped]
    assert len(texts) > 5
    assert not lost
