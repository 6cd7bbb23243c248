"""The verifier as one file, ``verify.py``: its modules joined, without the imports between them.

``python -m audit.verifier.standalone > verify.py`` writes it.
"""

import ast
import sys
from collections import defaultdict
from functools import cache
from pathlib import Path
from typing import Final

_MODULES: Final = ("signatures", "hashes", "stored", "examination", "receipt", "command")
"""In the order in which they need each other; the last is the command, whose docstring is the file's."""


@cache
def verify_py() -> str:
    """Write the file; it needs Python and ``cryptography`` only."""
    modules: set[str] = set()
    names: defaultdict[str, set[str]] = defaultdict(set)
    parts: list[str] = []
    docstring = ""
    for module in _MODULES:
        text = (Path(__file__).parent / f"{module}.py").read_text("utf-8")
        tree = ast.parse(text)
        last = 0
        for node in tree.body:
            if isinstance(node, ast.Import):
                modules.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                names[node.module or ""].update(alias.name for alias in node.names)
            else:
                continue
            last = node.end_lineno or 0
        docstring = ast.get_docstring(tree, clean=False) or ""
        parts.append("\n".join(text.splitlines()[last:]).strip("\n"))
    imports = [f"import {name}" for name in sorted(modules)]
    imports += [
        f"from {module} import {', '.join(sorted(names[module]))}"
        for module in sorted(names)
        if not module.startswith("audit.")
    ]
    return "\n\n\n".join([f'"""{docstring}"""\n\n' + "\n".join(imports), *parts]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(verify_py())
