"""Options of connections: what the other end is like, beyond where it is and how it knows us."""

from collections.abc import Iterator, Mapping
from typing import Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from kernel.errors import ErrorItem
from kernel.types import Json
from kernel.values import pointer_of
from tenants.models import ConnectionKind


class Options(BaseModel):
    """Base of the options of one kind of connection; each has a default."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HttpOptions(Options):
    """Options of an HTTP API."""

    honours_idempotency_key: bool = Field(False, description="It honours `Idempotency-Key`, so a POST may be repeated")
    keeps_cookies: bool = Field(
        False,
        description="Cookies set by its answers, as at a login, are sent with later calls of the same run over "
        "this connection",
    )


class ModelOptions(Options):
    """Options of a language model's service."""

    stream: Literal["auto", "always", "never"] = Field(
        "auto", description="Whether answers come in pieces; `auto` asks once for a whole one where none came"
    )
    schema_mode: Literal["auto", "json_schema", "json_object", "prompt"] = Field(
        "auto", description="How an answer that fits a schema is requested; `auto` finds out what the service supports"
    )


Kept = TypeVar("Kept", bound=Options)
OPTIONS: Final[Mapping[str, type[Options]]] = {ConnectionKind.HTTP: HttpOptions, ConnectionKind.LLM: ModelOptions}


def option_problems(kind: str, options: object) -> Iterator[ErrorItem]:
    """Tell what is wrong with a connection's options."""
    try:
        OPTIONS[kind].model_validate(options)
    except ValidationError as error:
        known = ", ".join(OPTIONS[kind].model_fields) or "none"
        for problem in error.errors(include_url=False, include_context=False, include_input=False):
            is_unknown = problem["type"] == "extra_forbidden"
            yield ErrorItem(
                code="UNKNOWN_FIELD" if is_unknown else "INVALID",
                detail=f"{problem['msg']}.",
                pointer="/options" + pointer_of(problem["loc"]),
                hint=f"Options of this kind of connection: {known}." if is_unknown else None,
            )


def read_options(kind: type[Kept], kept: Mapping[str, Json]) -> Kept:
    """Read options as they are stored; those another version has written and this one does not know are left out."""
    return kind.model_validate({name: value for name, value in kept.items() if name in kind.model_fields})
