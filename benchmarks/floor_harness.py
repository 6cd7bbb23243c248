"""Surroundings of the floor's program: a database, payloads, resources used, one JSON line a figure."""

import json
import os
import threading
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import psutil
import psycopg
from psycopg import sql

from benchmarks.figures import latencies, line

TEXT = "x" * 150
SAMPLE_SECONDS = 0.1


def payload(number: int = 0) -> dict[str, Any]:
    """Return the result of about 200 bytes that every trivial step has."""
    return {"i": number, "ok": True, "text": TEXT, "k": "v"}


def uid() -> str:
    """Return a new id of a run."""
    return uuid.uuid4().hex


def dsn(database: str) -> str:
    """Write the address of a database on the server ``DATABASE_URL`` names, as the login it names."""
    return in_database(os.environ["DATABASE_URL"], database)


def in_database(url: str, database: str) -> str:
    """Write the address of another database, on the same server and as the same login."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def fresh_db(name: str) -> str:
    """Drop a database and create it anew; returns its name."""
    with psycopg.connect(dsn("postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    return name


def lat(seconds: Sequence[float]) -> dict[str, float]:
    """Sum measured times up."""
    return latencies(seconds)


def emit(source: str, workload: str, **figures: Any) -> None:
    """Print one figure of the floor."""
    print(json.dumps(line(f"floor {workload}", source=source, **figures)), flush=True)


def wanted(default: str) -> list[str]:
    """Read which workloads to measure."""
    return os.environ.get("BENCH_ONLY", default).split(",")


def repeats() -> int:
    """Read how often."""
    return int(os.environ.get("BENCH_REPEATS", "1"))


class Rss:
    """Samples this process's memory while it is entered: ``mib`` is the most, ``cpu_s`` the processor time used."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self._peak = 0
        self._cpu = 0.0
        self.cpu_s = 0.0

    @property
    def mib(self) -> float:
        """The largest resident memory seen."""
        return round(self._peak / 2**20, 1)

    def __enter__(self) -> Self:
        self._cpu = self._cpu_seconds()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()
        self.cpu_s = round(self._cpu_seconds() - self._cpu, 2)

    def _cpu_seconds(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _sample(self) -> None:
        while True:
            self._peak = max(self._peak, self._process.memory_info().rss)
            if self._stop.wait(SAMPLE_SECONDS):
                return
