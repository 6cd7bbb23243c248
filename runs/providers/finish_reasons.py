"""Finish reasons of answers, in the words of many services and in all the places they use."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from runs.step_api.language_models import CompletionRequest, FinishReason

ANY_PLACE: Final = (
    "finish_reason",
    "stop_reason",
    "done_reason",
    "stop_type",
    "finish_details",
    "incomplete_details",
    "stop_details",
    "native_finish_reason",
    "finish_reason_raw",
    "finishReason",
    "stopReason",
    "status",
)
"""Members in which gateways write why an answer ended, beside the place of the format itself."""
ENVELOPES: Final = ("delta", "details", "message", "response", "usage")
"""Members of answers and pieces that say it in their stead."""
MAX_TOLD: Final = 16
MAX_WORD_LENGTH: Final = 100
_BESIDE: Final = "finish_details"
_FILTERS: Final = "content_filter_results"
"""Member in which Azure says what each of its filters did."""
_SAYING: Final = frozenset((*ANY_PLACE, _FILTERS))
_ANYWHERE: Final = _SAYING.union(ENVELOPES)
_FILTERED: Final = "content_filter"
MAX_DEPTH: Final = 3

_NAMES: Final = ("type", "reason", "code", "name")
_NOT_KEY: Final = re.compile(r"[^a-z0-9]+")
_NOT_YET: Final = frozenset(("", "null", "none", "notfinished", "inprogress"))
_PLAIN: Final = frozenset(
    [
        "stop",
        "stopped",
        "end",
        "ended",
        "endturn",
        "endofturn",
        "endoftext",
        "endofsequence",
        "eos",
        "eostoken",
        "eosfound",
        "eot",
        "eotid",
        "imend",
        "s",
        "stopsequence",
        "stopsequences",
        "stoptoken",
        "stoptokens",
        "stopstring",
        "stopstr",
        "stopword",
        "stopwords",
        "stopcriteriamet",
        "word",
        "finish",
        "finished",
        "finishreasonstop",
        "complete",
        "completed",
        "completion",
        "done",
        "success",
        "succeeded",
        "ok",
        "normal",
        "natural",
        "messagestop",
    ]
)
"""Known words for a natural end, as ``_key`` writes them."""
_KINDS: Final[tuple[tuple[re.Pattern[str], FinishReason], ...]] = (
    (re.compile(r"filter|safety|sensitive|recitation|prohibit|blocklist|spii|guardrail|flagged|moderat"), "filtered"),
    (
        re.compile(
            r"timeout|timedout|timelimit|deadline|interrupt|repetition|abort|cancel|insufficient|malformed"
            r"|unexpected|disconnect"
        ),
        "broken",
    ),
    (re.compile(r"length|max|contextwindow|limit|truncat|exceed"), "length"),
    (re.compile(r"error|fail|pause|incomplete|notfinished|inprogress"), "broken"),
    (re.compile(r"tool|function"), "tool_calls"),
    (re.compile(r"refus"), "refused"),
)
_COUNTS_BESIDE: Final[frozenset[FinishReason]] = frozenset(("filtered", "length", "broken", "refused"))
_GRAVEST: Final[tuple[FinishReason, ...]] = ("filtered", "length", "broken", "refused", "unknown", "tool_calls")


class FinishReasons:
    """Finish reasons of an answer over all its pieces. The gravest counts, not the last."""

    def __init__(self, place: str, stop: Collection[str]) -> None:
        """Begin.

        Args:
            place: Where the format itself has it; a word there that nobody knows is no plain end.
            stop: The texts before which the answer was to end; some servers name the one they found.
        """
        self._place = place
        self._stop = stop
        self._words_in_place: list[str] = []
        self._beside: list[str] = []
        self._has_come: bool | None = False

    def note(self, *holders: Any) -> None:
        """Take what an answer, a choice, a message or a piece of one says; of most pieces that is nothing."""
        for holder in holders:
            if not isinstance(holder, dict) or _SAYING.isdisjoint(holder):
                continue
            if not [name for name in _SAYING.intersection(holder) if holder[name] is not None]:
                continue
            self._has_come = None
            for name in ANY_PLACE:
                if (value := holder.get(name)) is not None:
                    kept = self._words_in_place if name == self._place else self._beside
                    kept += [word for word in _words(value) if word not in kept][: MAX_TOLD - len(kept)]
            if _is_filtered(holder.get(_FILTERS)) and _FILTERED not in self._beside:
                self._beside.append(_FILTERED)

    def note_all(self, holder: Mapping[str, Any]) -> None:
        """Take what an answer or a piece of one says, itself or in what it wraps."""
        if not _ANYWHERE.isdisjoint(holder):
            self.note(holder, *[holder.get(name) for name in ENVELOPES])

    @property
    def has_come(self) -> bool:
        """Whether the format's own place says that the answer has ended, or another that it was cut off."""
        if self._has_come is None:
            self._has_come = any(_key(word) not in _NOT_YET for word in self._words_in_place) or self._of_beside() != []
        return self._has_come

    def written(self) -> dict[str, list[str]]:
        """Give all that was told, as an answer that came in one would have it."""
        return {self._place: self._words_in_place, _BESIDE: self._beside}

    @property
    def finish(self) -> FinishReason:
        """Say why the answer ended; nothing at all is a plain end."""
        found = [*self._of_own_place(), *self._of_beside()]
        return next((finish for finish in _GRAVEST if finish in found), "stop")

    def finish_of(self, request: CompletionRequest, *, has_calls: bool, is_lost: bool = False) -> FinishReason:
        """Say why an answer ended; one that ended to ask for tools has calls, or they were lost.

        Where an answer by schema is all that was asked for, gateways write it as the input of a tool, and end it so.

        Args:
            request: What was asked.
            has_calls: Whether calls of tools came.
            is_lost: Whether the text has one that cannot be read.
        """
        finish = self.finish
        if is_lost and finish in ("stop", "tool_calls"):
            return "call_lost"
        if finish != "tool_calls" or has_calls:
            return "tool_calls" if has_calls and finish == "stop" else finish
        return "stop" if request.response_schema is not None and not request.tools else "call_lost"

    @property
    def unknown(self) -> str:
        """The word nobody knows, where the end is one."""
        return next((word for word in self._words_in_place if _kind(word) == "unknown"), "")

    def _of_own_place(self) -> list[FinishReason]:
        over = [word for word in self._words_in_place if _key(word) not in _NOT_YET]
        return [_kind(word) for word in over or self._words_in_place]

    def _of_beside(self) -> list[FinishReason]:
        """Of other places only a cut or a refusal counts: they hold stop texts and states as well."""
        words = [word for word in self._beside if word not in self._stop and _key(word) not in _NOT_YET]
        return [kind for word in words if (kind := _kind(word)) in _COUNTS_BESIDE]


def _is_filtered(results_by_filter: Any) -> bool:
    results = list(results_by_filter.values())[:MAX_TOLD] if isinstance(results_by_filter, Mapping) else []
    return any(isinstance(result, Mapping) and result.get("filtered") is True for result in results)


def _kind(word: str) -> FinishReason:
    key = _key(word)
    if key in _PLAIN or key in ("", "null", "none"):
        return "stop"
    return next((finish for pattern, finish in _KINDS if pattern.search(key)), "unknown")


def _key(word: str) -> str:
    return _NOT_KEY.sub("", word.lower())


def _words(value: Any, depth: int = 0) -> Iterator[str]:
    """Give the words of a reason: a text, a number, or those inside an object or a list."""
    if isinstance(value, str | int | float):
        yield str(value)[:MAX_WORD_LENGTH]
    elif isinstance(value, Mapping | list) and depth < MAX_DEPTH:
        named = [value[name] for name in _NAMES if name in value] if isinstance(value, Mapping) else value
        for inner in named[:MAX_TOLD]:
            yield from _words(inner, depth + 1)
        if value and not named:
            yield "an object"
