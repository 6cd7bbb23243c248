"""Words of segments that the interpreter knows, and their edges."""

from dataclasses import dataclass

JOIN, SPLIT, CONDITION, WAIT = "parallel_join", "parallel_split", "condition", "wait"
ERROR, ELSE = "error", "else"


@dataclass(frozen=True, slots=True)
class Edge:
    """One edge; ``number`` is its place in the document, ``ports`` are those it leaves by."""

    number: int
    source: str
    ports: tuple[str, ...]
    target: str
    target_port: str
    condition: str | None
