"""Folders that stand for a checkout, with servers of their own."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from devserver import folders


@contextmanager
def open_checkout() -> Iterator[Path]:
    """A folder every user may enter, as a checkout in a public place; pytest's own folders are private."""
    folder = Path(tempfile.mkdtemp(prefix="llmteam-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folders.open_folder(folder))
        shutil.rmtree(folder)
