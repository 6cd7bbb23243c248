"""What a service refuses becomes a failure with a code, retryable or not; its words never hold a secret."""

import base64
import traceback
from typing import Any

import httpx
import pytest

from examples.model_server import Asked, Problem, Reply
from runs.providers.errors import FACTS, ServiceError, code_of, refused
from runs.providers.quotable_words import quotable_words
from runs.step_api.base import StepFailed
from runs.step_api.language_models import Message
from tests.support.http_server import Answer, CountingServer
from tests.support.model_server import KEY, ModelBench, asking


def _nothing(_text: str) -> None:
    """Follow without interest."""


@pytest.mark.parametrize("on_delta", [None, _nothing])
@pytest.mark.parametrize(
    ("kind", "code", "retryable", "host_failed"),
    [
        ("model_unknown", "LLM_MODEL_UNKNOWN", False, False),
        ("rate_limited", "LLM_RATE_LIMITED", True, False),
        ("quota_exhausted", "LLM_QUOTA_EXHAUSTED", False, False),
        ("context_too_long", "LLM_CONTEXT_TOO_LONG", False, False),
        ("refused", "LLM_REFUSED", False, False),
        ("bad_request", "LLM_BAD_REQUEST", False, False),
        ("server_error", "LLM_SERVER_ERROR", True, True),
        ("overloaded", "LLM_SERVER_ERROR", True, True),
    ],
)
async def test_each_refusal_has_its_code(
    bench: ModelBench, kind: Any, code: str, on_delta: Any, *, retryable: bool, host_failed: bool
) -> None:
    assert (await bench.ask(on_delta=on_delta)).text
    bench.answers(Problem(kind))

    failure = await bench.fail(on_delta=on_delta)

    assert (failure.code, failure.retryable, failure.host_failed) == (code, retryable, host_failed)
    assert len(bench.server.asked) == 2, "the provider itself tries nothing again"


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_a_key_that_is_not_taken(bench: ModelBench, on_delta: Any) -> None:
    assert (await bench.ask(on_delta=on_delta)).text
    bench.server.key = "another"

    failure = await bench.fail(on_delta=on_delta)

    assert (failure.code, failure.retryable) == ("LLM_AUTH_FAILED", False)
    assert failure.details["status"] == 401
    assert "key" in str(failure.details["provider_message"]), "the service says what is wrong"


async def test_a_model_the_service_has_not(bench: ModelBench) -> None:
    bench.server.models = {"m-1"}
    assert (await bench.ask()).text

    failure = await bench.fail(model="m-2")

    assert failure.code == "LLM_MODEL_UNKNOWN"
    assert failure.details["status"] == 404


async def test_how_long_to_wait_is_told(bench: ModelBench) -> None:
    for told, seconds in (("17", 17.0), ("0.5", 0.5), ("soon", None), (None, None)):
        bench.answers(Problem("rate_limited", retry_after=told))
        assert (await bench.fail()).retry_after_seconds == seconds


async def test_how_long_to_wait_may_be_told_in_milliseconds(openai: ModelBench) -> None:
    with CountingServer() as other:
        other.route("POST", "/*", Answer(429, {"error": {"message": "slow down"}}, {"retry-after-ms": "1500"}))
        with pytest.raises(StepFailed) as raised:
            await openai.provider(base_url=other.url).complete(asking())

    assert raised.value.retry_after_seconds == 1.5


async def test_a_service_may_say_that_trying_again_is_of_no_use(bench: ModelBench) -> None:
    with CountingServer() as other:
        for headers, retryable in (
            ({}, True),
            ({"x-should-retry": "true"}, True),
            ({"x-should-retry": "false"}, False),
        ):
            other.route("POST", "/*", Answer(500, {"error": {"message": "it broke"}}, headers))
            with pytest.raises(StepFailed) as raised:
                await bench.provider(base_url=other.url).complete(asking())
            assert (raised.value.code, raised.value.retryable) == ("LLM_SERVER_ERROR", retryable)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry-After": "3", "x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "9s"}, 3.0),
        ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1m5s"}, 65.0),
        ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "4.5s"}, 4.5),
        ({"x-ratelimit-remaining-tokens": "7", "x-ratelimit-reset-tokens": "4.5s"}, None),
        ({"RateLimit-Remaining": "0", "RateLimit-Reset": "5"}, 5.0),
        ({"RateLimit-Reset": "5"}, 5.0),
        ({"Retry-After": '"3", "5"'}, 5.0),
        ({"Retry-After": "Fri Jan  1 00:00:00 2100"}, 3600.0),
        ({"x-ratelimitbysize-remaining-minute": "0", "x-ratelimitbysize-reset-minute": "4"}, 4.0),
        ({"RateLimit": '"default";r=0;t=4'}, 4.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "4102444800000"}, 3600.0),
        (
            {
                "anthropic-ratelimit-requests-remaining": "0",
                "anthropic-ratelimit-requests-reset": "2100-01-01T00:00:00Z",
            },
            3600.0,
        ),
    ],
)
async def test_a_limit_is_waited_for_as_its_headers_say(
    bench: ModelBench, headers: dict[str, str], seconds: float | None
) -> None:
    """Times far ahead are only known to be far ahead."""
    kept = {"error": {"message": "slow down", "code": 429, "metadata": {"headers": headers}}}
    with CountingServer() as other:
        for answer in (
            Answer(429, {"error": {"message": "slow down"}}, headers),
            Answer(429, kept),
            Answer(200, kept),
        ):
            other.route("POST", "/*", answer)
            with pytest.raises(StepFailed) as raised:
                await bench.provider(base_url=other.url).complete(asking())
            told = raised.value.retry_after_seconds
            assert raised.value.code == "LLM_RATE_LIMITED"
            assert told == seconds or (seconds == 3600.0 and told is not None and told > seconds)
        other.route("POST", "/*", Answer(500, {"error": {"message": "it broke"}}, {"RateLimit-Reset": "5"}))
        with pytest.raises(StepFailed) as raised:
            await bench.provider(base_url=other.url).complete(asking())
        assert raised.value.retry_after_seconds is None, "a failure is no limit"


async def test_an_address_nobody_can_read_is_blocked(bench: ModelBench) -> None:
    for address in (
        "nonsense",
        "ftp://models.example",
        "http://",
        "http://[::1",
        "http://a b/",
        "http://x:y@h.example/",
    ):
        with pytest.raises(StepFailed) as raised:
            await bench.provider(base_url=address).complete(asking())
        assert raised.value.code == "EGRESS_BLOCKED", address


async def test_a_base_address_without_this_api_says_so(bench: ModelBench) -> None:
    assert await bench.ask()
    with CountingServer() as other:
        for answer in (
            Answer(404, {"detail": "Not Found"}),
            Answer(404, "<html>Nothing here</html>"),
            Answer(404, ["?"]),
            Answer(405),
        ):
            other.route("POST", "/*", answer)
            with pytest.raises(StepFailed) as raised:
                await bench.provider(base_url=other.url).complete(asking())

            assert raised.value.code == "LLM_API_NOT_FOUND"
            assert "<" not in str(raised.value.details)


@pytest.mark.parametrize("on_delta", [None, _nothing])
async def test_a_service_that_moved_is_asked_there_with_the_question_or_not_at_all(
    bench: ModelBench, on_delta: Any
) -> None:
    path = "/chat/completions" if bench.name == "openai" else "/v1/messages"
    said = {"choices": [{"message": {"content": "Hi"}}], "content": [{"type": "text", "text": "Hi"}]}
    with CountingServer() as other:
        provider = bench.provider(base_url=other.url)
        other.route("GET", f"/new{path}", Answer(body=said))
        other.route("POST", f"/new{path}", Answer(body=said))
        for status in (307, 308):
            other.route("POST", path, Answer(status, headers={"Location": f"/new{path}"}))
            assert (await provider.complete(asking("Hello there"), on_delta=on_delta)).text == "Hi"
            assert (other.calls[-1].path, other.calls[-1].method) == (f"/new{path}", "POST")
            assert "Hello there" in str(other.calls[-1].json()["messages"])
        for status in (301, 302, 303):
            other.route("POST", path, Answer(status, headers={"Location": f"/new{path}?key={KEY}"}))
            with pytest.raises(StepFailed, match="redirects the request") as raised:
                await provider.complete(asking(), on_delta=on_delta)
            assert (raised.value.code, raised.value.retryable) == ("LLM_API_NOT_FOUND", False)
            assert raised.value.details == {"status": status, "location": f"{other.url}/new{path}"}
            assert (other.calls[-1].path, other.calls[-1].method) == (path, "POST")


async def test_a_place_that_repeats_a_secret_is_not_told(openai: ModelBench) -> None:
    with CountingServer() as other:
        for place, details in (("/there", {"location": f"{other.url}/there"}), (f"/{KEY}/there", {})):
            other.route("POST", "/*", Answer(301, headers={"Location": place}))
            with pytest.raises(StepFailed) as raised:
                await openai.provider(base_url=other.url).complete(asking())
            assert raised.value.details == {"status": 301, **details}


async def test_anthropic_s_address_may_have_its_version(anthropic: ModelBench) -> None:
    for address in (anthropic.server.url, f"{anthropic.server.url}/", f"{anthropic.server.url}/v1/"):
        assert await anthropic.provider(base_url=address).complete(asking())


async def test_an_error_amid_a_stream_is_one(bench: ModelBench) -> None:
    for kind, code in (("overloaded", "LLM_SERVER_ERROR"), ("rate_limited", "LLM_RATE_LIMITED")):
        bench.answers(Problem(kind, amid_stream=True))  # type: ignore[arg-type]
        assert (await bench.fail(on_delta=_nothing)).code == code


@pytest.mark.parametrize(
    "raw",
    [
        b"<html>Welcome</html>",
        b"",
        b"[]",
        b'"text"',
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": null}], "content": null}',
        b'{"choices": [{"message": {"tool_calls": [{"id": "1"}]}}], "content": ["x"]}',
        b"[" * 100_000,
        b'{"n": NaN, "content": [], "choices": [{"message": {}}]}',
    ],
)
async def test_an_answer_in_another_format_is_unreadable(bench: ModelBench, raw: bytes) -> None:
    bench.answers(Reply(raw=raw))

    failure = await bench.fail()

    assert (failure.code, failure.retryable) == ("LLM_REPLY_UNREADABLE", True)


@pytest.mark.parametrize(
    "raw", [b"data: {no json\n\n", b'data: {"choices": [1]}\n\n', b"data: 7\n\n", b"event: message_start\ndata: {}\n\n"]
)
async def test_a_stream_in_another_format_is_unreadable(bench: ModelBench, raw: bytes) -> None:
    prefix = b"event: message_delta\n" if bench.name == "anthropic" and not raw.startswith(b"event") else b""
    bench.answers(Reply(raw=prefix + raw))

    assert (await bench.fail(on_delta=_nothing)).code in ("LLM_REPLY_UNREADABLE", "LLM_CONNECTION_FAILED")


async def test_an_error_in_an_answer_that_says_all_is_well_is_one(openai: ModelBench) -> None:
    for raw, code in (
        (b'{"error": {"code": 429, "message": "slow down"}}', "LLM_RATE_LIMITED"),
        (b'{"error": "it broke"}', "LLM_SERVER_ERROR"),
    ):
        openai.answers(Reply(raw=raw))
        assert (await openai.fail()).code == code


async def test_the_service_s_words_are_kept_without_its_addresses(bench: ModelBench) -> None:
    said = "No. See (https://help.example/x) or 10.1.2.3:80, and use sk-abc***xyz"
    bench.answers(Problem("bad_request", message=said))

    failure = await bench.fail()

    assert failure.details["status"] == 400
    assert failure.details["provider_message"] == "No. See ((address)) or (address), and use (key)"
    assert failure.message == FACTS["LLM_BAD_REQUEST"].sentence


@pytest.mark.parametrize("kind", ["bad_request", "model_unknown", "rate_limited", "server_error", "context_too_long"])
async def test_a_secret_a_service_sends_back_is_in_no_failure_and_no_log(
    bench: ModelBench, caplog: pytest.LogCaptureFixture, kind: Any
) -> None:
    caplog.set_level("INFO")
    canary = "canary-in-a-header"

    bench.answers(Problem(kind, message="You sent something else"))
    assert (await bench.fail()).details["provider_message"] == "You sent something else"

    def script(asked: Asked) -> Problem:
        sent = asked.headers.get("authorization") or asked.headers["x-api-key"]
        return Problem(kind, message=f"You sent {sent.removeprefix('Bearer ')[:12]}... and {asked.headers['x-tenant']}")

    bench.server.script = script
    found = []
    for on_delta in (None, _nothing):
        try:
            await bench.provider(headers={"x-tenant": canary}).complete(asking(), on_delta=on_delta)
        except StepFailed as failure:
            found.append(f"{failure!r} {failure.message} {failure.details} {_traceback(failure)}")

    assert len(found) == 2
    for text in (*found, caplog.text):
        assert KEY[:12] not in text
        assert canary not in text


def _traceback(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_nothing_sent_as_a_credential_is_quotable() -> None:
    basic = base64.b64encode(b"user-name:pass-word-9").decode()
    sent = httpx.Request(
        "POST",
        "https://models.example/v1?key=query-canary-1",
        headers={"authorization": f"Basic {basic}", "api-key": "header-canary"},
    )

    assert quotable_words("The temperature is too high.", sent) == "The temperature is too high."
    for leak in ("Pass-Word-9", "query-canary-1", "a header-canar", basic[:10]):
        assert quotable_words(f"No: {leak}.", sent) is None
    assert quotable_words("Ask models.example again", sent) == "Ask (address) again"
    assert quotable_words("x" * 1000, sent) == "x" * 400


@pytest.mark.parametrize(
    ("service_error", "code"),
    [
        (
            ServiceError(404, ("DeploymentNotFound",), "The API deployment for this resource does not exist."),
            "MODEL_UNKNOWN",
        ),
        (ServiceError(404, ("api_error",), 'model "llama9" not found, try pulling it first'), "MODEL_UNKNOWN"),
        (ServiceError(404, ("NotFoundError",), "The model `x` does not exist."), "MODEL_UNKNOWN"),
        (ServiceError(400, ("invalid_request_error",), "Invalid model name passed in model=x."), "MODEL_UNKNOWN"),
        (ServiceError(400, ("no_db_connection",), "No connected db."), "AUTH_FAILED"),
        (ServiceError(404, (), "Not Found"), "API_NOT_FOUND"),
        (ServiceError(404, ("not_found_error",), "model: no-such-model"), "MODEL_UNKNOWN"),
        (ServiceError(404, ("not_found_error",), "File Not Found"), "API_NOT_FOUND"),
        (ServiceError(405), "API_NOT_FOUND"),
        (ServiceError(403, ("model_not_found",)), "MODEL_UNKNOWN"),
        (ServiceError(403, ("permission_error",)), "AUTH_FAILED"),
        (ServiceError(402, ("billing_error",)), "QUOTA_EXHAUSTED"),
        (
            ServiceError(400, ("BadRequestError",), "This model's maximum context length is 4096 tokens."),
            "CONTEXT_TOO_LONG",
        ),
        (ServiceError(413, ("request_too_large",)), "CONTEXT_TOO_LONG"),
        (ServiceError(400, ("content_filter",), "Azure OpenAI's content management policy"), "REFUSED"),
        (ServiceError(408), "TIMED_OUT"),
        (ServiceError(504), "TIMED_OUT"),
        (ServiceError(409), "SERVER_ERROR"),
        (ServiceError(418), "BAD_REQUEST"),
        (ServiceError(529, ("overloaded_error",)), "SERVER_ERROR"),
        (ServiceError(500, (), "the model does not exist any more in memory"), "SERVER_ERROR"),
        (ServiceError(400, ("INVALID_ARGUMENT",), "API key not valid. Please pass a valid API key."), "AUTH_FAILED"),
        (ServiceError(400, ("INVALID_ARGUMENT",), "API key expired. Please renew the API key."), "AUTH_FAILED"),
        (ServiceError(400, ("INVALID_ARGUMENT",), "Missing or invalid Authorization header."), "AUTH_FAILED"),
        (ServiceError(400, (), "Incorrect API key provided: xa***ey."), "AUTH_FAILED"),
        (ServiceError(404, (), "No endpoints found for x/y."), "MODEL_UNKNOWN"),
        (ServiceError(404, (), "No endpoints found that support tool use."), "BAD_REQUEST"),
        (ServiceError(400, (), "x/y is not a valid model ID"), "MODEL_UNKNOWN"),
        (
            ServiceError(400, (), "The input token count (9) exceeds the maximum number of tokens allowed (8)."),
            "CONTEXT_TOO_LONG",
        ),
        (
            ServiceError(400, (), "The decoder prompt (length 9) is longer than the maximum model length of 8."),
            "CONTEXT_TOO_LONG",
        ),
        (ServiceError(400, (), "input length and `max_tokens` exceed context limit: 7 + 2 > 8"), "CONTEXT_TOO_LONG"),
        (ServiceError(400, (), "too many tokens: the total is 9, of at most 8"), "CONTEXT_TOO_LONG"),
        (ServiceError(429, (), "Too many tokens, please wait before trying again."), "RATE_LIMITED"),
        (ServiceError(400, (), "Range of input length should be [1, 8]"), "CONTEXT_TOO_LONG"),
        (ServiceError(500, ("server_error",), "Context size has been exceeded."), "CONTEXT_TOO_LONG"),
        (
            ServiceError(429, ("rate_limit_exceeded",), "Too large, per min (TPM): Limit 30000, Requested 40000."),
            "CONTEXT_TOO_LONG",
        ),
        (
            ServiceError(429, ("rate_limit_exceeded",), "Limit reached, per min (TPM): Limit 30000, Requested 20000."),
            "RATE_LIMITED",
        ),
        (ServiceError(400, (), "You have reached your specified API usage limits."), "QUOTA_EXHAUSTED"),
        (ServiceError(424, ("generation",), "Request failed during generation"), "SERVER_ERROR"),
        (ServiceError(400, ("tool_use_failed",), "Failed to call a function."), "REPLY_UNREADABLE"),
        (ServiceError(400, ("json_validate_failed",), "Failed to generate JSON."), "REPLY_UNREADABLE"),
    ],
)
def test_services_have_many_words_for_the_same(service_error: ServiceError, code: str) -> None:
    assert code_of(service_error) == f"LLM_{code}"


def test_a_refusal_by_the_model_can_be_raised_as_one_by_the_service() -> None:
    assert (refused().code, refused().retryable) == ("LLM_REFUSED", False)


async def test_messages_in_a_wrong_order_are_a_bad_request(bench: ModelBench) -> None:
    assert await bench.ask(Message("user", "Hi"))

    with pytest.raises(StepFailed, match="does not accept the request"):
        await bench.ask(Message("user", "Hi"), Message("tool", "4", call_id="c1"))
