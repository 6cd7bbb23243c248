"""Data folders of the servers: their place, their holder, and whether another user may enter them."""

import fcntl
import hashlib
import json
import os
import pwd
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from devserver.errors import FolderNotTrusted, NameInUse

CHECKOUT = Path(__file__).resolve().parents[2]


def short_path(path: Path) -> Path:
    """Shorten a path inside the checkout, for a sentence."""
    return path.relative_to(CHECKOUT) if path.is_relative_to(CHECKOUT) else path


class FolderClaim:
    """The exclusive right to the servers of one name in one checkout, held until `release` or the process's end.

    The right is an advisory lock on a file, which the kernel drops with the process, so a SIGKILL leaves nothing to
    clean up. While the servers are up the file holds what another process needs to share them.
    """

    def __init__(self, *, checkout: Path, name: str) -> None:
        self.name = name
        self.folder = checkout / ".data" / name
        self._file = self.folder / "lock"
        self._descriptor: int | None = None

    def take(self) -> None:
        """Take the right and clear what its last holder published.

        Raises:
            NameInUse: Another process, or another claim of this process, holds it.
        """
        make_passable(self.folder)
        descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise NameInUse(f"Another process uses {short_path(self.folder)}{self._holder()}; end it first.") from None
        self._descriptor = descriptor
        self.publish({"pid": str(os.getpid())})

    def publish(self, facts: dict[str, str]) -> None:
        """Replace the file's content; only the holder calls this."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, json.dumps(facts).encode(), 0)

    def published(self) -> dict[str, str]:
        """Read what the holder published; empty while it is still starting."""
        try:
            facts: dict[str, str] = json.loads(self._file.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return facts

    def release(self) -> None:
        """Give the right back; may be repeated."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def _holder(self) -> str:
        pid = self.published().get("pid")
        return f" (process {pid})" if pid else ""

    def __enter__(self) -> Self:
        if self._descriptor is None:
            self.take()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def claim_free_name(*, checkout: Path, name: str) -> FolderClaim:
    """Take the first free name of `name`, `name-2`, `name-3`, ..., so that equal commands run side by side."""
    for candidate in _numbered(name):
        claim = FolderClaim(checkout=checkout, name=candidate)
        try:
            claim.take()
        except NameInUse:
            continue
        return claim
    raise NameInUse(f"All names like {name} are taken below {checkout / '.data'}.")


def _numbered(name: str) -> Iterator[str]:
    yield name
    for number in range(2, 100):
        yield f"{name}-{number}"


def make_passable(folder: Path) -> None:
    """Create a folder that other users may pass through, whatever the umask; its content guards itself."""
    for level in (folder.parent, folder):
        if not level.exists():
            level.mkdir(parents=True, exist_ok=True)
            level.chmod(0o755)


def may_enter(user: str, folder: Path) -> bool:
    """Tell whether a user without further groups may reach and read a folder (or run a file)."""
    entry = pwd.getpwnam(user)
    path = folder.resolve()
    return all(_allows(level, entry, stat.S_IXOTH) for level in path.parents) and _allows(
        path, entry, stat.S_IXOTH | stat.S_IROTH
    )


def _allows(path: Path, user: pwd.struct_passwd, wanted: int) -> bool:
    facts = path.stat()
    if facts.st_uid == user.pw_uid:
        return facts.st_mode >> 6 & wanted == wanted
    if facts.st_gid == user.pw_gid:
        return facts.st_mode >> 3 & wanted == wanted
    return facts.st_mode & wanted == wanted


def open_folder(checkout: Path) -> Path:
    """Create the world-accessible folder that belongs to a checkout, below the system's folder for temporary files.

    Raises:
        FolderNotTrusted: It exists, and another user owns it or may write to it: its programs must not be run.
    """
    mark = hashlib.sha256(str(checkout.resolve()).encode()).hexdigest()[:12]
    below = Path("/var/tmp") if may_enter("nobody", Path("/var/tmp")) else Path(tempfile.gettempdir())  # noqa: S108 - owner and mode are checked below
    folder = below / f"llmteam-{mark}"
    folder.mkdir(mode=0o755, exist_ok=True)
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise FolderNotTrusted(f"{folder} is not a folder that only this user may write to; remove it and try again.")
    folder.chmod(0o755)
    return folder
