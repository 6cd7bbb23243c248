"""Options of an answer about a run: the time to wait, the end to wait for, the form of a failure."""

import re
from dataclasses import dataclass
from typing import Final

from django.db import models
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.request import Request

from foundation.request_fields import FiniteFloat
from foundation.requests import Strict, read_query

MAX_WAIT_SECONDS: Final = 55
_PREFER_WAIT: Final = re.compile(r"(?:^|[,;\s])wait\s*=\s*\"?([0-9]{1,6})\"?(?=$|[,;\s])", re.IGNORECASE)

PREFER = OpenApiParameter(
    "Prefer",
    str,
    OpenApiParameter.HEADER,
    description="`wait=N` does the same as the parameter `wait`, which takes precedence.",
)


class Until(models.TextChoices):
    """Events a caller can wait for."""

    OVER = "over", "The run's end"
    PARKED = "parked", "The run's end, or that it waits for a person or a call"


class OnFailure(models.TextChoices):
    """Forms of the answer about a failed run."""

    RUN = "run", "As any other run, with status 200"
    ERROR = "error", "As a problem with the status of the error's kind, and the run in its member `run`"


class WaitQuery(Strict):
    """Seconds to wait for the end."""

    wait = FiniteFloat(
        required=False,
        min_value=0,
        help_text=f"Seconds to wait for the run's end: 200 if it ends in time, else 202. "
        f"At most {MAX_WAIT_SECONDS}; 0 by default.",
    )
    until = serializers.ChoiceField(
        choices=Until.choices,
        required=False,
        help_text="`over` waits for the end only; `parked`, the default, also answers when the run waits for a person "
        "or a call.",
    )
    on_failure = serializers.ChoiceField(
        choices=OnFailure.choices,
        required=False,
        help_text="`error` answers a run that is over and did not complete as a problem with the status of its error's "
        "kind, and the run in its member `run`. `run`, the default, answers it as every run.",
    )


@dataclass(frozen=True, slots=True)
class AnswerOptions:
    """Options of the answer about a run.

    Attributes:
        wait_seconds: How long they would wait for it; 0 for an answer at once.
        until: What they wait for.
        on_failure: How a run that is over and did not complete is answered.
    """

    wait_seconds: float = 0.0
    until: str = Until.PARKED
    on_failure: str = OnFailure.RUN


def answer_options_of(request: Request, *, default: float = 0.0) -> AnswerOptions:
    """Read the parameters of ``WaitQuery``; in place of ``wait`` also ``Prefer: wait=N``. At most 55 s are waited.

    Raises:
        Invalid: A parameter cannot be read, or there is another. A preference that cannot be read is no preference
            (RFC 7240).
    """
    sent = read_query(WaitQuery, request) if request.query_params else {}
    wait = sent.pop("wait", None)
    if wait is None:
        preferred = _PREFER_WAIT.search(request.headers.get("Prefer", ""))
        wait = float(preferred[1]) if preferred else default
    return AnswerOptions(min(float(wait), float(MAX_WAIT_SECONDS)), **sent)
