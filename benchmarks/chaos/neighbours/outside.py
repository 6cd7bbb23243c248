"""Attacks by what strangers answer: charsets, floods of pieces, models, tools, names; and by mails."""

import asyncio
import json
from typing import Any, Final

from benchmarks.chaos.neighbours.attack import Attack, per_item, segment, step
from benchmarks.chaos.neighbours.attacker import Attacker
from benchmarks.chaos.neighbours.names import SLOW
from examples.model_server import Asked, Call, ModelServer, Reply

SIDE_BY_SIDE = 8
LARGE = 1 << 60
TEXT: Final = b"a-" * 250_000
PIECES = 3_000_000
FLOOD = b"1\r\na\r\n" * 10_000
HUGE = json.dumps([{"name": f"n{number}", "flag": True} for number in range(25_000)]).encode()
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "


async def _charset(writer: asyncio.StreamWriter) -> None:
    length = str(len(TEXT)).encode()
    writer.write(HEAD + b"text/plain; charset=punycode\r\nContent-Length: " + length + b"\r\n\r\n" + TEXT)


async def _chunks(writer: asyncio.StreamWriter) -> None:
    writer.write(HEAD + b"text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
    for _ in range(PIECES // 10_000):
        writer.write(FLOOD)
        await writer.drain()
    writer.write(b"0\r\n\r\n")


async def _huge(writer: asyncio.StreamWriter) -> None:
    length = str(len(HUGE)).encode()
    writer.write(HEAD + b"application/json\r\nContent-Length: " + length + b"\r\n\r\n" + HUGE)


async def _stranger(answer: Any) -> str:
    """Serve one answer to everybody who asks; return the address."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:] if b": " in line)
                await reader.readexactly(int(fields.get(b"content-length", b"0")))
                await answer(writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=512)
    return f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _call_often(attacker: Attacker, answer: Any) -> None:
    url = await _stranger(answer)
    document = per_item("strange", "list(range(20))", "http_action", method="GET", url=f"{url}/", retry_count=0)
    path = await attacker.save(document)
    attacker.begin()
    await attacker.repeat(SIDE_BY_SIDE, "POST", path, {"input": {}})


async def charset(attacker: Attacker) -> None:
    """Calls answered with half a megabyte of a charset that takes the square of it."""
    await _call_often(attacker, _charset)


async def chunks(attacker: Attacker) -> None:
    """Calls answered with three million chunks of one byte."""
    await _call_often(attacker, _chunks)


async def huge_answers(attacker: Attacker) -> None:
    """Calls answered with a megabyte of small objects."""
    await _call_often(attacker, _huge)


async def _ask_often(attacker: Attacker, server: ModelServer, **config: Any) -> None:
    connection = {"kind": "llm", "provider": "openai", "base_url": f"{server.url}/v1", "model": "m", "secret": "s"}
    await attacker.put("connections/model", connection)
    document = per_item("asks", "list(range(20))", "llm_agent", llm_ref="model", prompt="Say it.", **config)
    path = await attacker.save(document)
    attacker.begin()
    await attacker.repeat(SIDE_BY_SIDE, "POST", path, {"input": {}})


async def model_replies(attacker: Attacker) -> None:
    """Models that reply with 0.9 MB of JSON, to be held against a schema."""
    text = json.dumps([{"n": number, "text": "word " * 3} for number in range(20_000)])
    schema = {"type": "array", "items": {"type": "object", "required": ["n", "missing"]}}
    with ModelServer(lambda _asked: Reply(text=text)) as server:
        await _ask_often(attacker, server, response_schema=schema)


async def tool_answers(attacker: Attacker) -> None:
    """Models that call 32 tools, each of which answers with a megabyte."""
    url = await _stranger(_huge)
    await attacker.put("connections/tool", {"kind": "http", "base_url": url, "allows_tools": True})
    tool = {
        "name": "look",
        "description": "Looks",
        "client_ref": "tool",
        "method": "GET",
        "path": "/",
        "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
    }

    def script(asked: Asked) -> Reply:
        turn = len(asked.answers)
        return Reply(calls=tuple(Call("look", {"q": str(turn + n)}, f"call_{turn + n}") for n in range(8)))

    with ModelServer(script) as server:
        await _ask_often(attacker, server, tools=[tool])


async def slow_names(attacker: Attacker) -> None:
    """Calls to a hundred names that are looked up for five seconds each."""
    config = {"method": "GET", "url": f"http://{{{{ 'n' + str(item) }}}}.{SLOW}/", "retry_count": 0}
    path = await attacker.save(per_item("slow_names", "list(range(100))", "http_action", **config))
    attacker.begin()
    await attacker.repeat(1, "POST", f"{path}?wait=30", {"input": {}})


async def mails(attacker: Attacker) -> None:
    """Invitations to strangers, and tasks that ask a member."""
    document = segment("asking", [step("ask", "human_task", title="Please", timeout_hours=1)])
    path = await attacker.save(document)
    attacker.begin()

    async def invite(caller: Any, number: int) -> int:
        if number % 2:
            return int((await caller.call("POST", f"/api/v1/{path}", {"input": {}}))[0])
        body = {"email": f"stranger-{number}@example.test", "role": "reviewer"}
        return int((await caller.call("POST", "/api/v1/invitations", body))[0])

    await attacker.flat_out(SIDE_BY_SIDE, invite)


ATTACKS = {
    "charset": Attack(
        "answers of 0.5 MB in punycode",
        charset,
        without={
            "runs.http.reading:MAX_BYTES_IN_PLACE": LARGE,
            "kernel.charsets:_CODECS": {"punycode": "punycode"},
        },
    ),
    "chunks": Attack(
        "answers in three million chunks",
        chunks,
        without={"kernel.egress.responses.body:MAX_PIECES": LARGE, "kernel.egress.transport:SLICES_AT_ONCE": LARGE},
    ),
    "huge_answers": Attack(
        "answers of 25,000 objects", huge_answers, without={"runs.http.reading:MAX_BYTES_IN_PLACE": LARGE}
    ),
    "model_replies": Attack(
        "models' replies of 0.9 MB, held against a schema",
        model_replies,
        without={
            "runs.providers.decoding:MAX_BYTES_IN_PLACE": LARGE,
            "runs.agents.large_reply:MAX_BYTES_IN_PLACE": LARGE,
            "kernel.schemas.violations:MAX_WORK_AT_ONCE": LARGE,
            "kernel.schemas.violations:MAX_TOLD_AT_ONCE": LARGE,
        },
    ),
    "tool_answers": Attack(
        "32 tools that answer with 1 MB each",
        tool_answers,
        without={"runs.http.reading:MAX_BYTES_IN_PLACE": LARGE, "runs.agents.large_reply:MAX_BYTES_IN_PLACE": LARGE},
    ),
    "slow_names": Attack(
        "100 names that take 5 s to look up",
        slow_names,
        without={"kernel.turns.fair_threads:FairThreads._may_start": "@any_free"},
    ),
    "mails": Attack(
        "invitations and tasks, each of which mails",
        mails,
        {"REQUESTS_PER_MINUTE_PER_TENANT": "10000000"},
        {"tenants.members.services:check_may_invite": "@nothing"},
    ),
}
