"""What this process has counted, read as a scrape reads it."""

from prometheus_client import REGISTRY


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Watch:
    """How much a count has grown since."""

    def __init__(self, name: str, **labels: str) -> None:
        self._name, self._labels = name, labels
        self._before = count(name, **labels)

    @property
    def grown(self) -> float:
        return count(self._name, **self._labels) - self._before
