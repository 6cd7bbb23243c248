"""A step type that calls a URL and does nothing else, for tests of what every call to the outside passes."""

from urllib.parse import urlsplit

from kernel.egress import ConnectionFailed, DeadlineExceeded
from runs.step_api.base import Effect, Emit, Endpoint, Port, StepCall, StepConfig, StepFailed, StepHandler
from segments.catalog import StepType


class OutsiderConfig(StepConfig):
    """What to call, and what stands in its way."""

    url: str
    connection: str | None = None
    per_minute: int | None = None
    timeout_seconds: float = 30.0
    answers_slowly: bool = False


class Outsider(StepHandler):
    """Calls once an attempt; an answer of 500 and more, or none, is the host's failure."""

    step_type = StepType(
        type_id="outsider",
        display_name="outsider",
        description="For tests",
        category="utility",
        icon="x",
        color="#000000",
        config=OutsiderConfig,
        input_ports=(Port("input"),),
        output_ports=(Port("output"), Port("error", required=False)),
        effect=Effect.EXTERNAL,
    )

    async def run(self, call: StepCall) -> Emit:
        """Call, behind every gate."""
        config = call.config
        assert isinstance(config, OutsiderConfig)
        client = await call.context.http_client()
        endpoint = Endpoint(
            urlsplit(config.url).netloc, config.connection, config.per_minute, answers_slowly=config.answers_slowly
        )
        async with call.through_gates(endpoint):
            try:
                response = await client.post(config.url, timeout=config.timeout_seconds)
            except (ConnectionFailed, DeadlineExceeded) as error:
                raise StepFailed(error.code, "No answer.", retryable=True, host_failed=True) from error
            if response.status_code >= 500:
                raise StepFailed("HOST_FAILED", "It failed.", retryable=True, host_failed=True)
        if response.status_code >= 400:
            raise StepFailed("REFUSED", "It refused.")
        return Emit({"output": response.status_code})
