"""What stands behind a model's answer is not the answer to another question."""

import json

import pytest

from kernel.egress import EgressClient
from runs.providers.registry import build_provider
from tests.support.http_server import Answer, CountingServer
from tests.support.model_server import asking


def said(text: str) -> bytes:
    body = json.dumps({"model": "m", "choices": [{"message": {"content": text}, "finish_reason": "stop"}]}).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)


@pytest.mark.parametrize("behind", [b"", said("for somebody else")], ids=["nothing", "an answer"])
async def test_a_question_gets_its_own_answer(http_client: EgressClient, behind: bytes) -> None:
    with CountingServer() as server:
        provider = build_provider("openai", http_client=http_client, base_url=f"{server.url}/v1")
        answers = [Answer(raw=said(text) + behind, stays_open=True) for text in ("first", "second")]
        server.route("POST", "/v1/chat/completions", answers)
        assert [(await provider.complete(asking("Hello?"))).text for _ in answers] == ["first", "second"]
        assert server.connections == (1 if not behind else 2)
