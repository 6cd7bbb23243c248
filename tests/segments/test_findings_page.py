import re
from pathlib import Path

from tenants.limits.errors import LimitUsedUp, NotIncluded

ROOT = Path(__file__).parents[2]
ADDED = re.compile(r"\.(error|warning|info)\(\s*\"([A-Z_]+)\"")
REMARKED = re.compile(r"\bRemark\(\s*\"([A-Z_]+)\"")
ROW = re.compile(r"^\| `([A-Z_]+)` \| ([a-z, ]+) \|", re.MULTILINE)


def test_the_page_lists_every_code_with_its_severities():
    found: dict[str, set[str]] = {"TOO_MANY_FINDINGS": {"warning"}}
    for folder in ("definition", "validation"):
        for module in (ROOT / "segments" / folder).glob("*.py"):
            for severity, code in ADDED.findall(module.read_text()):
                found.setdefault(code, set()).add(severity)
    for module in ROOT.glob("runs/**/*.py"):
        for code in REMARKED.findall(module.read_text()):
            found[code] = {"warning"}
    found["NOT_REPEATED"] = found["TOOL_MAY_REPEAT"] = {"info"}  # remarks too, which a rule makes infos
    found["VALUE_REFUSED"] = {"error"}  # passed on from the values' own check
    found["NOT_AVAILABLE"] = {"error"}  # passed on from the check of schemas
    found["KEYWORD_IGNORED"] = {"warning"}  # likewise
    found[NotIncluded.code] = found[LimitUsedUp.code] = {"error"}  # passed on from what a tenant may use
    listed = {code: set(text.split(", ")) for code, text in ROW.findall((ROOT / "docs/howto/findings.md").read_text())}
    assert listed == found
