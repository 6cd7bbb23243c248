"""LiteLLM's proxy between a provider and a stand-in for a model: answers and errors are those of the model.

It is installed by pip into an environment of its own; where that cannot be, this is skipped, and says so.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from typing import Any, get_args, get_type_hints

import httpx
import pytest

from devserver.processes import free_port
from examples.model_server import Call, ModelServer, Problem, Reply
from kernel.egress import EgressClient
from runs.step_api.base import StepFailed
from runs.step_api.language_models import Provider, Tool
from tests.support.model_server import KEY, ModelBench, asking
from tests.support.process_ends import eventually
from tests.support.tools import installed_tool

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
LITELLM = "litellm[proxy]==1.108.7"
PROXY_KEY = f"sk-{KEY}"
LOOKUP = Tool("lookup", "Finds an order.", {"type": "object", "properties": {"id": {"type": "string"}}})
LOOK_UP = Call("lookup", {"id": "A 17"}, "c1")
CLOSED = {
    "type": "object",
    "properties": {"reason": {"type": "string"}, "refund": {"type": "boolean"}},
    "required": ["reason", "refund"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module")
def models() -> Iterator[ModelServer]:
    with ModelServer(key=KEY, models={"m-1"}) as server:
        yield server


@pytest.fixture(scope="module")
def proxy(models: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a proxy before the stand-in, which takes the same key as that."""
    behind = {"model": "openai/m-1", "api_base": f"{models.url}/v1", "api_key": KEY, "max_retries": 0}
    config = {
        "model_list": [{"model_name": "m-1", "litellm_params": behind}],
        "general_settings": {"master_key": PROXY_KEY},
        "router_settings": {"num_retries": 0, "disable_cooldowns": True},
    }
    folder = tmp_path_factory.mktemp("litellm")
    (folder / "config.yaml").write_text(json.dumps(config))
    url = f"http://127.0.0.1:{(port := free_port())}"
    argv = [installed_tool(LITELLM) / "litellm", "--config", "config.yaml", "--host", "127.0.0.1", "--port", str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*argv, "--telemetry", "False"],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            stdout=log,
            stderr=log,
        )
    try:
        assert eventually(lambda: is_up(url) or process.poll() is not None, seconds=120)
        assert process.poll() is None, (folder / "log").read_text()
        yield f"{url}/v1"
    finally:
        process.terminate()
        process.wait(20)


def is_up(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health/liveliness", trust_env=False).is_success
    except httpx.TransportError:
        return False


class ProxyBench(ModelBench):
    """The same stand-in, asked through the proxy."""

    proxy = ""

    @property
    def base_url(self) -> str:
        return self.proxy

    def provider(self, **options: Any) -> Provider:
        return super().provider(**({"secret": PROXY_KEY} | options))


@pytest.fixture
def direct(models: ModelServer, http_client: EgressClient) -> ModelBench:
    return ModelBench("openai", models, http_client)


@pytest.fixture
def litellm(models: ModelServer, http_client: EgressClient, proxy: str) -> ProxyBench:
    bench = ProxyBench("openai", models, http_client)
    bench.proxy = proxy
    return bench


@pytest.mark.parametrize("on_delta", [None, lambda _: None], ids=["whole", "streamed"])
@pytest.mark.parametrize(
    ("answer", "request_"),
    [
        (Reply("Fine, thanks."), {}),
        (Reply('{"reason": "late", "refund": true}'), {"response_schema": CLOSED}),
        (
            Reply("Let me see.", calls=(Call("lookup", {"id": "A 17"}, "c1"),), finish="tool_calls"),
            {"tools": (LOOKUP,)},
        ),
        (Reply("Once upon", finish="length"), {"max_tokens": 2}),
    ],
    ids=["text", "schema", "tools", "cut"],
)
async def test_answers_are_those_of_the_model(
    direct: ModelBench, litellm: ProxyBench, answer: Reply, request_: dict[str, Any], on_delta: Any
) -> None:
    direct.answers(answer)
    asked = [await bench.ask(on_delta=on_delta, **request_) for bench in (direct, litellm)]
    of_model, of_proxy = ((one.text, one.tool_calls, one.finish_reason, one.tokens) for one in asked)
    assert of_proxy == of_model
    assert of_model[0] == answer.text


async def test_pieces_are_heard_as_they_come(litellm: ProxyBench) -> None:
    litellm.answers(Reply("One two three four"))
    pieces: list[str] = []
    reply = await litellm.ask(on_delta=pieces.append)
    assert len(pieces) > 2
    assert "".join(pieces) == reply.text == "One two three four"


@pytest.mark.parametrize("on_delta", [None, lambda _: None], ids=["whole", "streamed"])
@pytest.mark.parametrize("kind", get_args(get_type_hints(Problem)["kind"]))
async def test_errors_are_those_of_the_model_s_service(
    direct: ModelBench, litellm: ProxyBench, kind: Any, on_delta: Any
) -> None:
    direct.answers(Problem(kind))
    of_model, of_proxy = [await bench.fail(on_delta=on_delta) for bench in (direct, litellm)]
    assert (of_proxy.code, of_proxy.retryable) == (of_model.code, of_model.retryable)


async def test_the_proxy_s_own_errors_are_told_apart(litellm: ProxyBench) -> None:
    litellm.answers(Reply("Fine, thanks."))
    assert (await litellm.ask()).text == "Fine, thanks."
    assert (await litellm.fail(model="m-2")).code == "LLM_MODEL_UNKNOWN"
    with pytest.raises(StepFailed) as wrong:
        await litellm.provider(secret="sk-of-nobody").complete(asking())
    assert wrong.value.code == "LLM_AUTH_FAILED"
