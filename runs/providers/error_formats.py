"""Error formats of model services, also of those that report an error in a successful answer."""

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Final

from runs.providers.errors import ServiceError
from runs.step_api.retry_after import seconds_to_wait

MAX_READ: Final = 2000
MAX_DEPTH: Final = 4
MAX_HEADERS: Final = 100
_TEXTS: Final = (
    "message",
    "msg",
    "detail",
    "error_description",
    "status_msg",
    "title",
    "error_msg",
    "errorMsg",
    "error_message",
    "errorMessage",
)
_NAMES: Final = ("code", "type", "status", "error_code", "errorCode", "error_type", "errorType", "__type")
_FAULT: Final = re.compile("error|exception", re.IGNORECASE)
"""In the names of members that tell of a failure, in whichever format."""
_OF_METADATA: Final = ("flagged_input",)
"""Members that gateways keep beside an error that says what it is; a prompt that was flagged stays unread."""
_OF_ANSWERS: Final = frozenset(("choices", "content", "type", "usage"))
_WAIT: Final = re.compile(r"(?:try again|retry)\b\D{0,20}((?:\d+(?:\.\d+)?\s?[a-z]*\s?)+)", re.IGNORECASE)
_SPAN: Final = re.compile(r"(\d+(?:\.\d+)?)\s?([a-z]*)", re.IGNORECASE)
_SECONDS: Final[Mapping[str, float]] = {
    **dict.fromkeys(("", "s", "sec", "secs", "second", "seconds"), 1.0),
    **dict.fromkeys(("ms", "millisecond", "milliseconds"), 0.001),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60.0),
    **dict.fromkeys(("h", "hour", "hours"), 3600.0),
}


def error_in(answer: Any) -> Any:
    """Find the error inside an answer with status 200, or an event of a stream; None where there is none."""
    if isinstance(answer, list):
        return next((found for one in answer[:1] if (found := error_in(one)) is not None), None)
    if not isinstance(answer, dict):
        return None
    if answer.get("error") or "error" in (answer.get("type"), answer.get("object")):
        return answer
    outcome = answer.get("base_resp")
    if isinstance(outcome, dict) and outcome.get("status_code"):
        return {"message": outcome.get("status_msg"), "type": str(outcome["status_code"])}
    choices = answer.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict) and choices[0].get("error"):
        return choices[0]
    return _foreign_error_in(answer)


def _foreign_error_in(answer: Mapping[str, Any]) -> Any:
    """Find an error that no format has: by the name of a member, which may hold it, or by words."""
    has_said = answer.get("choices") or answer.get("content")
    for name, value in () if has_said else answer.items():
        if value and isinstance(name, str) and _FAULT.search(name[:100]):
            return {"error": {"type": name, **value}} if isinstance(value, Mapping) else answer
    is_other = _OF_ANSWERS.isdisjoint(answer)
    return answer if is_other and any(isinstance(answer.get(name), str) for name in _TEXTS) else None


def read_service_error(status: int, body: Any) -> ServiceError:
    """Read an error; a page in HTML counts as silence.

    Args:
        status: Of the answer.
        body: What it said: JSON in any shape, or text.
    """
    parts = list(_parts(body))
    texts = [text for part in parts if (text := _text_of(part))]
    names: list[str] = []
    for part in parts:
        code: Any
        for code in (part.get(name) for name in _NAMES) if isinstance(part, Mapping) else ():
            if _is_status(code):
                status = int(code)
            elif isinstance(code, str) and code:
                names.append(code.rpartition("#")[2] or code)  # AWS: com.amazon.coral.service#ThrottlingException
        if isinstance(part, Mapping) and isinstance(part.get("metadata"), Mapping):
            names += [name for name in _OF_METADATA if part["metadata"].get(name)]
    text = " ".join(dict.fromkeys(texts))[:MAX_READ]
    quotas = " ".join(_told_in_details(parts, "quotaId"))
    delays = " ".join(f"retry in {delay}" for delay in _told_in_details(parts, "retryDelay"))
    return ServiceError(
        status,
        names=tuple(names),
        text=text,
        parameter=next((str(part["param"]) for part in parts if isinstance(part, Mapping) and part.get("param")), ""),
        quotas=quotas,
        retry_after_seconds=_wait_in(delays) or _wait_in(text) or _wait_in_headers(parts),
    )


def _parts(body: Any, depth: int = 0) -> Iterator[Any]:
    """Give an error from the outside in: what gateways wrap, and what they got, which may be JSON in a text."""
    body = _opened(body)
    if not isinstance(body, Mapping) or depth > MAX_DEPTH:
        yield from () if body is None else (body,)
        return
    if not isinstance(body.get("error"), Mapping | list):
        yield body
    for inner in (body.get("error"), body.get("errors"), body.get("innererror"), _raw(body.get("metadata"))):
        if isinstance(inner, Mapping | list | str):
            yield from _parts(inner, depth + 1)


def _opened(body: Any) -> Any:
    """Read JSON in a text, and the first of a list."""
    if isinstance(body, str) and body.lstrip().startswith("{") and len(body) <= MAX_READ:
        with suppress(ValueError, RecursionError):
            body = json.loads(body)
    return next(iter(body), None) if isinstance(body, list) else body


def _raw(metadata: Any) -> Any:
    return metadata.get("raw") if isinstance(metadata, Mapping) else None


def _text_of(part: Any) -> str:
    if isinstance(part, str):
        return "" if part.lstrip().startswith("<") else part[:MAX_READ]
    for name in _TEXTS:
        value = part.get(name) if isinstance(part, Mapping) else None
        if isinstance(value, str) and value:
            return value[:MAX_READ]
        if isinstance(value, list | Mapping) and value:
            return json.dumps(value, default=str)[:MAX_READ]
    return ""


def _is_status(value: Any) -> bool:
    if isinstance(value, str):
        return len(value) == 3 and value.isascii() and value.isdigit() and value[0] in "45"
    return isinstance(value, int) and 400 <= value < 600


def _told_in_details(parts: list[Any], name: str) -> Iterator[str]:
    """Give what Google's details say under a name, violations of quotas included."""
    for part in parts:
        details = part.get("details") if isinstance(part, Mapping) else None
        for detail in details if isinstance(details, list) else ():
            violations = detail.get("violations") if isinstance(detail, Mapping) else None
            for place in (detail, *(violations if isinstance(violations, list) else ())):
                if isinstance(place, Mapping) and isinstance(place.get(name), str):
                    yield place[name][:200]


def _wait_in_headers(parts: list[Any]) -> float | None:
    """Read how long to wait out of the headers a gateway got and keeps beside the error."""
    for part in parts:
        metadata = part.get("metadata") if isinstance(part, Mapping) else None
        kept = metadata.get("headers") if isinstance(metadata, Mapping) else None
        if isinstance(kept, Mapping):
            headers = {name.lower(): text for name, text in list(kept.items())[:MAX_HEADERS] if isinstance(text, str)}
            if (seconds := seconds_to_wait(headers, is_limit=True)) is not None:
                return seconds
    return None


def _wait_in(text: str) -> float | None:
    """Read how long to wait out of words: ``try again in 6m0s``, ``retry after 20 seconds``."""
    found = _WAIT.search(text)
    spans = [(float(number), unit.lower()) for number, unit in _SPAN.findall(found[1])] if found else []
    known = [number * _SECONDS[unit] for number, unit in spans if unit in _SECONDS]
    return sum(known) if known else None
