"""Figures: percentiles, and the one JSON line each measurement prints."""

import os
import time
from collections.abc import Sequence
from typing import Any


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value below which a share of the values lies, interpolated."""
    ordered = sorted(values)
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def latencies(seconds: Sequence[float]) -> dict[str, float]:
    """Sum measured times up, in milliseconds."""
    return {
        "n": len(seconds),
        "min_ms": round(min(seconds) * 1e3, 2),
        "p50_ms": round(percentile(seconds, 50) * 1e3, 2),
        "p95_ms": round(percentile(seconds, 95) * 1e3, 2),
        "max_ms": round(max(seconds) * 1e3, 2),
    }


def line(workload: str, **figures: Any) -> dict[str, Any]:
    """Add to a measurement what the machine was doing: its load over one minute, and when that was."""
    return {
        "workload": workload,
        **figures,
        "load1": round(os.getloadavg()[0], 2),
        "at": time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime()),
    }


def against(figure: float, *, most: float | None = None, least: float | None = None) -> dict[str, Any]:
    """Hold a figure against its target."""
    if most is not None:
        return {"target": f"<= {most:g}", "met": figure <= most}
    return {"target": f">= {least:g}", "met": least is not None and figure >= least}
