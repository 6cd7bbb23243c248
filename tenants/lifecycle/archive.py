"""Archive format of an export: a zip of JSON lines with a manifest of hashes, written and verified as a stream."""

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final, cast

from foundation.zip_stream import PieceFile, zip_to

FORMAT: Final = "llmteam-export/1"
MANIFEST: Final = "manifest.json"


class ArchiveRefused(Exception):
    """The file is not an archive of ours, or not what its manifest says; the text says where."""


@dataclass(frozen=True, slots=True)
class ArchiveFile:
    """Facts of one file of an archive, as the manifest has them."""

    name: str
    rows: int
    bytes: int
    sha256: str


class ArchiveWriter:
    """Writes an archive forwards only, so that it needs the memory of a piece, however large it becomes.

    Args:
        take: Gets the pieces one after the other, each of ``PIECE_BYTES`` but the last.
    """

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._pieces = PieceFile(take)
        self._zip = zip_to(self._pieces)
        self._files: list[ArchiveFile] = []

    def __enter__(self) -> "ArchiveWriter":
        return self

    def __exit__(self, error: object, *_: object) -> None:
        if error is not None:
            self._pieces.abandon()
            self._zip.close()

    def add(self, name: str, lines: Iterable[str]) -> None:
        """Write one file of JSON lines."""
        rows, size, digest = 0, 0, hashlib.sha256()
        with self._zip.open(name, "w", force_zip64=True) as file:
            for line in lines:
                data = line.encode() + b"\n"
                file.write(data)
                digest.update(data)
                rows, size = rows + 1, size + len(data)
        self._files.append(ArchiveFile(name, rows, size, digest.hexdigest()))

    def end(self, facts: Mapping[str, Any]) -> None:
        """Write the manifest, with facts of the whole, and hand on the last piece."""
        manifest = {"format": FORMAT, **facts, "files": [asdict(file) for file in self._files]}
        self._zip.writestr(MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False))
        self._zip.close()
        self._pieces.end()


def verify_archive(path: Path) -> dict[str, Any]:
    """Hold every file of an archive against the manifest; needs neither a database nor the installation.

    Returns:
        The manifest.

    Raises:
        ArchiveRefused: Not a zip, no manifest of this format, a file that is missing, added, cut or changed, or a line
            that is not JSON.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _manifest(archive)
            listed = {file["name"] for file in manifest["files"]}
            present = archive.namelist()
            if sorted(present) != sorted([*listed, MANIFEST]):
                odd = sorted(listed.symmetric_difference(set(present) - {MANIFEST})) or ["a name that comes twice"]
                raise ArchiveRefused(f"The files are not those of the manifest: {', '.join(odd)}.")
            for file in manifest["files"]:
                _check(archive, ArchiveFile(**file))
    except (zipfile.BadZipFile, OSError, EOFError) as error:
        raise ArchiveRefused(f"The archive cannot be read: {error}.") from error
    return manifest


def _manifest(archive: zipfile.ZipFile) -> dict[str, Any]:
    try:
        manifest = json.loads(archive.read(MANIFEST))
        if manifest["format"] != FORMAT:
            raise ArchiveRefused(f"The format is {manifest['format']!r}, not {FORMAT!r}.")
        names = [ArchiveFile(**file).name for file in manifest["files"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ArchiveRefused(f"There is no manifest of an export: {error}.") from error
    if len(set(names)) < len(names):
        raise ArchiveRefused("The manifest names a file twice.")
    return cast("dict[str, Any]", manifest)


def _check(archive: zipfile.ZipFile, file: ArchiveFile) -> None:
    rows, size, digest = 0, 0, hashlib.sha256()
    with archive.open(file.name) as lines:
        for line in lines:
            digest.update(line)
            rows, size = rows + 1, size + len(line)
            try:
                json.loads(line)
            except ValueError as error:
                raise ArchiveRefused(f"{file.name}, line {rows}: no JSON: {error}.") from error
    found = ArchiveFile(file.name, rows, size, digest.hexdigest())
    if found != file:
        raise ArchiveRefused(f"{file.name} is not what the manifest says: {found}, not {file}.")
