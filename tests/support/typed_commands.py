"""Commands of a page, typed into a shell as they stand."""

import os
import subprocess
from pathlib import Path


def typed(block: str, *, folder: Path, url: str, key: str) -> str:
    """What a block of commands prints, with ``URL`` and ``KEY`` as the pages have them; one that fails is an error."""
    done = subprocess.run(
        ["bash", "-ec", block],  # noqa: S607 - whichever shell the stranger has
        cwd=folder,
        env={**os.environ, "URL": f"{url}/api/v1", "KEY": key},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout
