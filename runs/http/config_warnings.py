"""Warnings about a config of http_action: headers, bodies and pages that are refused when they are sent."""

from collections.abc import Iterator, Mapping
from typing import Final

from kernel.charsets import WIDE, codec_of, label_of
from kernel.egress import HeaderRefused, check_headers
from kernel.errors import sentences
from kernel.types import Json
from kernel.values import MalformedJson, ValueRefused, dump_json, parse_json
from runs.http.body import (
    BYTES,
    FORM,
    JSON,
    MAX_TYPE_LENGTH,
    MULTIPART,
    PLAIN,
    charset_of,
    codec_for,
    declared_in_text,
    default_type,
    is_json,
    violation,
    with_query,
    written,
)
from runs.http.config import Pagination
from runs.http.page_parameters import first_number, named_values, parameter_of
from runs.http.reading import media_type
from runs.http.request import OutgoingRequest
from runs.step_api.base import StepFailed
from segments.catalog import Remark
from segments.expressions import ExpressionError, parse_template

_TEMPLATE: Final = "{{"
PAGES_HINT: Final = (
    "leave the parameter to `pagination`, and give its first number as `start` if it is not the usual one"
)
_MAX_LINES: Final = 100
"""Lines that are looked at for whether each is JSON, as stores of logs take it."""
_HARMLESS: Final = frozenset(
    ("raw", "int", "float", "round", "len", "uuid", "sha256", "md5", "hmac_sha256", "hex", "format_number")
)
"""Functions whose texts hold nothing that forms and documents are made of, and the one that says so of its own."""
_SOLE: Final = "\0"
"""The outline of a text that is one template and nothing else: it may give any value."""


def remarks(config: Mapping[str, Json]) -> tuple[Remark, ...]:
    """Say of a valid config what is certain before a run: what no template fills in."""
    headers = config.get("headers")
    given = {name: text for name, text in headers.items() if isinstance(text, str)} if isinstance(headers, dict) else {}
    types = [text for name, text in given.items() if name.lower() == "content-type"]
    content_type = types[-1] if types else ""
    body = config.get("body")
    if isinstance(body, str) and _TEMPLATE in body:
        of_body = (*_of_templates(body, content_type), *_of_body(body, content_type))
    else:
        of_body = (*_of_body(body, content_type),)
    of_keys = (remark for part in ("query", "body") for remark in _of_keys(config.get(part), (part,)))
    return (*_of_headers(given), *of_keys, *of_body, *_of_pages(config, content_type))


def _of_keys(value: Json, path: tuple[str | int, ...]) -> Iterator[Remark]:
    """Say of each key that holds a template that it is sent as it stands: values are filled in, keys are not."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, member in members:
        if isinstance(key, str) and _TEMPLATE in key:
            hint = "make the whole object by one template, as `{{ {input.name: input.value} }}`"
            yield Remark(
                "TEMPLATE_IN_KEY",
                "A template in a key is not filled in: the key is sent unchanged.",
                (*path, key),
                hint,
            )
        yield from _of_keys(member, (*path, key))


def _of_pages(config: Mapping[str, Json], content_type: str) -> Iterator[Remark]:
    """Tell of pages that are not asked for: nobody can count on from what the request says, or it has no room."""
    if not isinstance(config.get("pagination"), dict):
        return
    pagination = Pagination.model_validate(config["pagination"])
    query, body, url = (config.get(name) for name in ("query", "body", "url"))
    whole = with_query(str(url or config.get("path")), query if isinstance(query, dict) else {})
    sent = OutgoingRequest("", whole, {"content-type": content_type or JSON}, None, 0, body=body)
    said = named_values(sent, parameter_of(pagination) or "")
    if (isinstance(body, str) and _is_open(body)) or any(_TEMPLATE in dump_json(value) for _, value in said):
        return
    try:
        first_number(pagination, sent)
    except StepFailed as failure:
        yield Remark(
            "PAGES_REFUSED", sentences(failure.message, "The step fails when it runs."), ("pagination",), PAGES_HINT
        )


def _of_headers(headers: Mapping[str, str]) -> Iterator[Remark]:
    written: dict[str, str] = {}
    for name, text in headers.items():
        if (before := written.get(name.lower())) is not None:
            message = f"{before} and {name} are one header, which is sent once: the last counts."
            yield Remark("HEADER_TWICE", message, ("headers", name), "leave one of them out")
        written[name.lower()] = name
        try:
            check_headers([(name, "" if _TEMPLATE in text else text)])
        except HeaderRefused as error:
            message = f"{error.detail} The step fails when it runs."
            yield Remark("HEADER_REFUSED", message, ("headers", name), "leave the header out, or write it otherwise")


def _of_templates(body: str, content_type: str) -> Iterator[Remark]:
    """Tell of a form or a document that is written as text, with a value in it that nothing escapes."""
    kind = media_type(content_type)
    is_form = kind == FORM
    is_markup = kind.endswith(("/xml", "+xml", "/html")) or (not content_type and body.lstrip().startswith("<"))
    if _is_open(body) or not (is_form or is_markup):
        return
    escapes = _HARMLESS | ({"urlencode"} if is_form else {"escape_html"})
    bare = next((one.source for one in parse_template(body).expressions if not one.is_made_by(escapes)), None)
    if bare is None:
        return
    if is_form:
        message = (
            "The text is a form with a template in it; a value with `&`, `+` or `%` becomes other fields or letters."
        )
        hint = f"write the body as an object, a member for each field; or `{{{{ urlencode({bare.strip()}) }}}}`"
    else:
        message = "The text is XML or HTML with a template in it; a value with `<` or `&` breaks it, or adds elements."
        hint = f"write `{{{{ escape_html(str({bare.strip()})) }}}}`, outside of CDATA"
    yield Remark("TEMPLATE_NOT_ESCAPED", message, ("body",), f"{hint}; `raw(...)` says that it is meant as it is")


def _of_body(body: Json, content_type: str) -> Iterator[Remark]:
    if body is None or _TEMPLATE in content_type or (isinstance(body, str) and _is_open(body)):
        return
    if (why := _refusal(body, content_type)) is not None:
        message = f"{why} The step fails when it runs."
        yield Remark("BODY_REFUSED", message, ("body",), "write the body as its `Content-Type` says, or change that")
    elif (why := _oddity(body, content_type)) is not None:
        yield Remark("BODY_ODD", why, ("body",), "write the body as its `Content-Type` says, or change that")


def _is_open(text: str) -> bool:
    """Whether a run may make something else than text of it; what cannot be read is told elsewhere."""
    try:
        return _TEMPLATE in text and parse_template(text).outline == _SOLE
    except ExpressionError:
        return True


def _refusal(body: Json, content_type: str) -> str | None:
    """Say why a body is refused: for what it is, or for what stands in it where no template does."""
    is_text = isinstance(body, str)
    if content_type and (why := violation(body, content_type, is_text=is_text)) is not None:
        return why
    if _TEMPLATE in dump_json(body):
        return None
    try:
        written(body, {"content-type": content_type} if content_type else {}, is_text=is_text)
    except StepFailed as failure:
        return failure.message
    return None


def _oddity(body: Json, content_type: str) -> str | None:
    """Say why a body that is sent is none of what its type promises."""
    kind = media_type(content_type or PLAIN)[:MAX_TYPE_LENGTH]
    if (why := _odd_charset(body, content_type)) is not None:
        return why
    if not isinstance(body, str):
        is_xml = kind.endswith(("/xml", "+xml")) and bool(content_type)
        return f"The body is sent as JSON, though its type is {kind}." if is_xml else None
    if not is_json(content_type) or _TEMPLATE in body or _is_json(body):
        return None
    if all(map(_is_json, body.splitlines()[:_MAX_LINES])):
        return None
    return f"The body is not JSON, though its type is {kind}."


def _odd_charset(body: Json, content_type: str) -> str | None:
    """Say why a body is not sent in the charset that its type names, or that it declares itself."""
    for text, kind in ((None, content_type), *_texts(body, content_type)):
        label = label_of(kind) if text is None else charset_of(text, kind)
        if label is not None and codec_of(label) is None:
            return f"The charset {label} is not known; the body is sent in UTF-8."
        declared = None if text is None else declared_in_text(text, kind)
        if text is not None and declared is not None and not _is_alike(text, codec_for(declared), codec_for(label)):
            return f"The body declares itself to be in {declared}, but is sent in {label}, as its type says."
    return None


def _texts(body: Json, content_type: str) -> Iterator[tuple[str, str]]:
    """Give the texts of a body that may declare their charset, each with its type: itself, or its files."""
    if isinstance(body, str):
        yield body, content_type or default_type(body)
    elif isinstance(body, dict) and media_type(content_type) == MULTIPART:
        for value in body.values():
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, dict) and isinstance(item.get("content"), str) and "encoding" not in item:
                    yield str(item["content"]), str(item.get("content_type") or BYTES)


def _is_alike(text: str, codec: str, other: str) -> bool:
    is_narrow = not codec.startswith(WIDE) and not other.startswith(WIDE)
    return codec == other or (is_narrow and _TEMPLATE not in text and text.isascii())


def _is_json(text: str) -> bool:
    try:
        parse_json(text or "null", big_integers="text")
    except (MalformedJson, ValueRefused):
        return False
    return True
