"""Programs of other projects, each installed by pip into an environment of its own below ``.data/tools``."""

import subprocess
import sys
from pathlib import Path

import pytest

from devserver.folders import CHECKOUT


def installed_tool(requirement: str, *options: str) -> Path:
    """The folder of a pinned package's programs; the test is skipped, and says so, where it cannot be installed.

    ``options`` are pip's.
    """
    folder = CHECKOUT / ".data" / "tools" / requirement
    ready = folder / ".ready"
    if not ready.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
        pip = [folder / "bin" / "pip", "install", "--quiet", "--no-input", *options, requirement]
        done = subprocess.run(pip, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"{requirement} cannot be installed here: {done.stderr.strip()[-200:]}")
        ready.touch()
    return folder / "bin"
