"""The command of a web process starts in a shell that names no settings, as the README says it."""

import os
import subprocess
import sys


def test_the_command_needs_no_name_of_the_settings() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    argv = [sys.executable, "-m", "llmteam.web", "--help"]
    done = subprocess.run(argv, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert "--bind" in done.stdout
