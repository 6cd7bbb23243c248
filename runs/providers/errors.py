"""Failures of language models: their codes, and the rules that map a service's answer to a code."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from kernel.egress import OF_TRUST, ConnectionFailed, DeadlineExceeded, EgressBlocked
from kernel.errors import LlmteamError
from kernel.types import Json
from runs.step_api.base import StepFailed
from runs.step_api.language_models import TokenCount


@dataclass(frozen=True, slots=True)
class ErrorFact:
    """Meaning of a code: its sentence, whether trying again can help, whether the service is to blame."""

    sentence: str
    retryable: bool = False
    host_failed: bool = False


FACTS: Mapping[str, ErrorFact] = {
    "LLM_AUTH_FAILED": ErrorFact("The model service does not accept the connection's credentials."),
    "LLM_RATE_LIMITED": ErrorFact("The model service limits how often it may be called.", retryable=True),
    "LLM_QUOTA_EXHAUSTED": ErrorFact("The account at the model service has no credit left."),
    "LLM_MODEL_UNKNOWN": ErrorFact("The model service has no such model, or not for this account."),
    "LLM_CONTEXT_TOO_LONG": ErrorFact("The prompt is longer than the model can read."),
    "LLM_REFUSED": ErrorFact("The content was refused by the model or its service."),
    "LLM_BAD_REQUEST": ErrorFact("The model service does not accept the request."),
    "LLM_API_NOT_FOUND": ErrorFact("There is no such API at the connection's base address."),
    "LLM_SERVER_ERROR": ErrorFact("The model service failed.", retryable=True, host_failed=True),
    "LLM_TIMED_OUT": ErrorFact("The model did not answer in time.", retryable=True, host_failed=True),
    "LLM_CONNECTION_FAILED": ErrorFact(
        "The connection to the model service failed or broke off.", retryable=True, host_failed=True
    ),
    "LLM_REPLY_UNREADABLE": ErrorFact("The answer is not in the format of this provider.", retryable=True),
}
MOVED = "The model service redirects the request, which would lose it; set the new address in the connection."
"""The sentence of LLM_API_NOT_FOUND where the service names another address."""
FORBIDDEN = "The model service does not permit this call with the connection's credentials."
"""The sentence of LLM_AUTH_FAILED where the credentials are known, and it is something else."""


_UNSUPPORTED = re.compile(
    r"unsupported|not.support|deprecated|only the default|unrecognized|unknown|unexpected|not permitted"
    r"|cannot both be|may only be set to 1|only (?:\w+\s?=\s?)?[\d.]+ (?:is|are) (?:allowed|supported)"
    r"|roles are supported",
    re.IGNORECASE,
)
_OF_THIS_SCHEMA = re.compile(
    r"json.?schema.{0,20}(?:error|conversion)|invalid schema|\$ref|function calling with|combined with", re.IGNORECASE
)
_LONG_ENOUGH = 12
"""Letters of a prompt that an error quotes; shorter ones may be the service's own words."""
_PER_MINUTE = re.compile(r"per[ _-]?(?:second|minute)|\b[rt]pm\b", re.IGNORECASE)
_PER_DAY = re.compile(r"per[ _-]?(?:day|month)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ServiceError:
    """An error as the service told it; all but ``status`` may be missing.

    Attributes:
        status: Of the answer; 200 where the error came amid a stream.
        names: What it calls the error: its code, its type.
        text: In words.
        parameter: The part of the request it is about.
        quotas: The names of the quotas that are used up.
        retry_after_seconds: How long to wait, where the body says.
    """

    status: int
    names: tuple[str, ...] = ()
    text: str = ""
    parameter: str = ""
    quotas: str = ""
    retry_after_seconds: float | None = None

    def is_about(self, parameter: str) -> bool:
        """Tell whether it is a parameter that is not accepted."""
        return self.status in (400, 422) and (self.parameter.startswith(parameter) or parameter in self.text)

    @property
    def is_for_good(self) -> bool:
        """Whether the parameter is not taken at all, rather than this value of it, or this schema."""
        is_unsupported = _UNSUPPORTED.search(" ".join((*self.names, self.text))) is not None
        return is_unsupported and _OF_THIS_SCHEMA.search(self.text) is None

    def without(self, sent: Iterable[str]) -> "ServiceError":
        """Give what the service says itself: a prompt that it quotes complains of nothing."""
        text = self.text
        for quoted in sent:
            text = text.replace(quoted, " ") if len(quoted) >= _LONG_ENOUGH else text
        return replace(self, text=text)


_NOT_FOUND = "not_found_error"
"""Anthropic's name for a model it does not have; llama.cpp's server calls any path so."""
_BY_NAME = {
    "invalid_api_key": "LLM_AUTH_FAILED",
    "InvalidApiKey": "LLM_AUTH_FAILED",
    "authentication_error": "LLM_AUTH_FAILED",
    "no_db_connection": "LLM_AUTH_FAILED",
    "rate_limit_error": "LLM_RATE_LIMITED",
    "rate_limit_exceeded": "LLM_RATE_LIMITED",
    "throttlingException": "LLM_RATE_LIMITED",
    "ThrottlingException": "LLM_RATE_LIMITED",
    "Throttling": "LLM_RATE_LIMITED",
    "insufficient_quota": "LLM_QUOTA_EXHAUSTED",
    "exceeded_current_quota_error": "LLM_QUOTA_EXHAUSTED",
    "billing_hard_limit_reached": "LLM_QUOTA_EXHAUSTED",
    "billing_error": "LLM_QUOTA_EXHAUSTED",
    "model_not_found": "LLM_MODEL_UNKNOWN",
    "DeploymentNotFound": "LLM_MODEL_UNKNOWN",
    _NOT_FOUND: "LLM_MODEL_UNKNOWN",
    "context_length_exceeded": "LLM_CONTEXT_TOO_LONG",
    "exceed_context_size_error": "LLM_CONTEXT_TOO_LONG",
    "request_too_large": "LLM_CONTEXT_TOO_LONG",
    "content_filter": "LLM_REFUSED",
    "content_policy_violation": "LLM_REFUSED",
    "ResponsibleAIPolicyViolation": "LLM_REFUSED",
    "data_inspection_failed": "LLM_REFUSED",
    "flagged_input": "LLM_REFUSED",
    "overloaded_error": "LLM_SERVER_ERROR",
    "timeout_error": "LLM_TIMED_OUT",
    "json_validate_failed": "LLM_REPLY_UNREADABLE",
    "tool_use_failed": "LLM_REPLY_UNREADABLE",
}
_TOO_LONG = re.compile(
    r"context (?:length|window|size)|prompt is too long|exceeds? (?:the )?.{0,20}context"
    r"|inputs?\W{0,3} (?:must have less than|tokens\b.{0,40}must be)|input .{0,20}too (?:long|many tokens)"
    r"|input token count.{0,40}exceeds|longer than the maximum|range of input length"
    r"|too many tokens(?!.{0,40}\b(?:per|wait))",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"\blimit:? ?(\d{1,12}),? requested:? ?(\d{1,12})", re.IGNORECASE)
"""A bound per minute, and a request that is larger than it alone."""
_BY_WORDS = (
    (
        re.compile(
            r"credit balance|exceeded your current quota|insufficient (?:balance|credit|funds|quota)|out of credits"
            r"|payment required|reached your .{0,20}usage limit",
            re.IGNORECASE,
        ),
        "LLM_QUOTA_EXHAUSTED",
    ),
    (re.compile(r"ThrottlingException|too many requests", re.IGNORECASE), "LLM_RATE_LIMITED"),
    (_TOO_LONG, "LLM_CONTEXT_TOO_LONG"),
    (re.compile(r"content.filter|content management policy|content policy|flagged", re.IGNORECASE), "LLM_REFUSED"),
    (
        re.compile(
            r"\bmodel\b.*\b(?:not found|does not exist)|invalid model name|not a valid model id|no endpoints found for",
            re.IGNORECASE | re.DOTALL,
        ),
        "LLM_MODEL_UNKNOWN",
    ),
    (re.compile(r"unexpected endpoint or method", re.IGNORECASE), "LLM_API_NOT_FOUND"),
    (re.compile(r"no endpoints found that", re.IGNORECASE), "LLM_BAD_REQUEST"),
    (
        re.compile(
            r"api.?key (?:is )?(?:not valid|invalid|expired|not found|missing)"
            r"|(?:invalid|incorrect|missing|wrong) (?:or invalid )?(?:api.?key|authorization header|access token)",
            re.IGNORECASE,
        ),
        "LLM_AUTH_FAILED",
    ),
)
_BY_STATUS = {
    200: "LLM_SERVER_ERROR",
    401: "LLM_AUTH_FAILED",
    402: "LLM_QUOTA_EXHAUSTED",
    403: "LLM_AUTH_FAILED",
    404: "LLM_API_NOT_FOUND",
    405: "LLM_API_NOT_FOUND",
    408: "LLM_TIMED_OUT",
    409: "LLM_SERVER_ERROR",
    413: "LLM_CONTEXT_TOO_LONG",
    424: "LLM_SERVER_ERROR",
    425: "LLM_SERVER_ERROR",
    429: "LLM_RATE_LIMITED",
    498: "LLM_SERVER_ERROR",  # Groq: no room for flexible calls now
    499: "LLM_SERVER_ERROR",  # Google and proxies: cancelled on the way
    504: "LLM_TIMED_OUT",
}
_BUDGET = re.compile(
    r"exceeded\w*budget|budget_exceeded|budget (?:has been |was )?exceeded|over (?:the )?budget|exceeded .{0,20}budget"
    r"|spend(?:ing)? limit|(?:key|credit) limit exceeded",
    re.IGNORECASE,
)
"""A gateway's own bound on what a key, user or team may spend, whatever status and name it has for it."""
_BUDGETS_COUNT_FOR = frozenset((200, 400, 401, 402, 403, 422, 429))
_LIMITS_COUNT_FOR = frozenset((200, 403, 429))
_CRASHED = 500
_WORDS_COUNT_FOR = frozenset((200, 400, 403, 404, 413, 422, 429))
_OF_EGRESS: Mapping[type[LlmteamError], str] = {
    ConnectionFailed: "LLM_CONNECTION_FAILED",
    DeadlineExceeded: "LLM_TIMED_OUT",
}


def failed(
    code: str,
    *,
    sentence: str | None = None,
    retry_after_seconds: float | None = None,
    details: Mapping[str, Json] | None = None,
) -> StepFailed:
    """Make the failure of a code of ``FACTS``, by its own sentence unless there is a better one."""
    fact = FACTS[code]
    return StepFailed(
        code,
        sentence or fact.sentence,
        retryable=fact.retryable,
        retry_after_seconds=retry_after_seconds,
        host_failed=fact.host_failed,
        details=details,
    )


class AnswerLost(StepFailed):
    """A failure behind which tokens were used: the answer broke off, or cannot be read.

    Attributes:
        tokens: How many, as the service told, or as guessed from what had come.
    """

    def __init__(self, failure: StepFailed, tokens: TokenCount) -> None:
        """Say the same as a failure, and what it took."""
        super().__init__(
            failure.code,
            failure.message,
            retryable=failure.retryable,
            retry_after_seconds=failure.retry_after_seconds,
            host_failed=failure.host_failed,
            details=failure.details,
        )
        self.tokens = tokens


def lost_tokens(failure: StepFailed) -> TokenCount:
    """Tell what was used behind a failure; nothing, as a rule."""
    return failure.tokens if isinstance(failure, AnswerLost) else TokenCount(0, 0)


def also_took(failure: StepFailed, tokens: TokenCount) -> StepFailed:
    """Add to what was used behind a failure."""
    both = tokens + lost_tokens(failure)
    return failure if tokens == TokenCount(0, 0) else AnswerLost(failure, both)


def refused(details: Mapping[str, Json] | None = None) -> StepFailed:
    """Make the failure of a model that refused to answer: a reply with the finish reason ``refused``."""
    return failed("LLM_REFUSED", details=details)


def code_of(service_error: ServiceError) -> str:
    """Sort a service's error by what it calls it, else by its words, else by its status."""
    if (code := _bound(service_error)) is not None:
        return code
    for name in service_error.names:
        if name in _BY_NAME and (name != _NOT_FOUND or "model" in service_error.text.lower()):
            return _BY_NAME[name]
    if service_error.status in _WORDS_COUNT_FOR:
        for words, code in _BY_WORDS:
            if words.search(service_error.text):
                return code
    return _BY_STATUS.get(
        service_error.status, "LLM_SERVER_ERROR" if service_error.status >= 500 else "LLM_BAD_REQUEST"
    )


def _bound(service_error: ServiceError) -> str | None:
    """Tell which bound is reached: of money, of one prompt, of calls."""
    if service_error.status in _BUDGETS_COUNT_FOR and _BUDGET.search(
        " ".join((*service_error.names, service_error.text))
    ):
        return "LLM_QUOTA_EXHAUSTED"
    if _is_too_large(service_error):
        return "LLM_CONTEXT_TOO_LONG"
    return _limit(service_error) if service_error.status in _LIMITS_COUNT_FOR else None


def _is_too_large(service_error: ServiceError) -> bool:
    """Tell a prompt that can never be taken; servers crash over one, or call it a limit that is reached."""
    if service_error.status == _CRASHED and _TOO_LONG.search(service_error.text):
        return True
    bounds = _TOO_LARGE.search(service_error.text)
    return bounds is not None and int(bounds[2]) > int(bounds[1])


def _limit(service_error: ServiceError) -> str | None:
    """Tell a limit that passes soon from one that does not: services call both by one name."""
    if _PER_DAY.search(service_error.quotas):
        return "LLM_QUOTA_EXHAUSTED"
    if service_error.retry_after_seconds is not None or _PER_MINUTE.search(
        f"{service_error.text} {service_error.quotas}"
    ):
        return "LLM_RATE_LIMITED"
    return "LLM_QUOTA_EXHAUSTED" if _PER_DAY.search(service_error.text) else None


def failure_on_the_way(error: LlmteamError) -> StepFailed:
    """Say what the guarded client ran into: a policy's refusal stays one, whichever SDK it came through."""
    if isinstance(error, ConnectionFailed) and error.reason in OF_TRUST:
        return StepFailed(error.code, error.detail, details=error.extra)
    code = _OF_EGRESS.get(type(error))
    if isinstance(error, EgressBlocked):
        return StepFailed(error.code, error.explanation)
    return StepFailed(error.code, error.detail) if code is None else failed(code)
