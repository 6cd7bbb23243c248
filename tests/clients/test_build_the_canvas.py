"""The committed bundle of the canvas is what its sources build to, byte for byte; skipped, and said, without Node."""

import shutil
import subprocess
from pathlib import Path

import pytest

from devserver.folders import CHECKOUT

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
SOURCES = CHECKOUT / "integrations" / "canvas"
BUNDLE = CHECKOUT / "platform" / "llmteam" / "static" / "canvas"


def test_the_bundle_is_built_of_its_sources_byte_for_byte(tmp_path: Path) -> None:
    if shutil.which("npm") is None:
        pytest.skip("Node is not installed here: the canvas was not built anew and compared.")
    workshop, built = tmp_path / "canvas", tmp_path / "built"
    shutil.copytree(SOURCES, workshop, ignore=shutil.ignore_patterns("node_modules"))
    for command in (["npm", "ci", "--ignore-scripts"], ["npx", "tsc"], ["node", "build.mjs", str(built)]):
        done = subprocess.run(command, cwd=workshop, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    names = {path.name for path in BUNDLE.iterdir()}
    assert names == {path.name for path in built.iterdir()}
    assert not [name for name in names if (BUNDLE / name).read_bytes() != (built / name).read_bytes()]
