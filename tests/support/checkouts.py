"""Folders that stand for a checkout, with servers of their own."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from devserver import folders
from tests.support.process_ends import eventually


@contextmanager
def open_checkout() -> Iterator[Path]:
    """A folder every user may enter, as a checkout in a public place; pytest's own folders are private."""
    folder = Path(tempfile.mkdtemp(prefix="llmteam-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        for one in (folders.open_folder(folder), folder):
            assert eventually(partial(_is_removed, one), seconds=10), one


def _is_removed(folder: Path) -> bool:
    """Remove a folder. Servers whose parents were killed may be ending still, and clear up files of their own."""
    shutil.rmtree(folder, ignore_errors=True)
    return not folder.exists()
