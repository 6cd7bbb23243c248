"""A Python client made of the API's description."""

import subprocess
import sys
from pathlib import Path


def make_python_client(description: Path, folder: Path) -> None:
    """Make the package ``made_client`` in a folder; fails on any warning of the generator."""
    settings = folder / "generator.yml"
    settings.write_text("post_hooks: []\n")
    command = [str(Path(sys.executable).parent / "openapi-python-client"), "generate", "--path", str(description)]
    command += ["--output-path", str(folder / "made_client"), "--meta", "none", "--config", str(settings)]
    done = subprocess.run([*command, "--fail-on-warning"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
