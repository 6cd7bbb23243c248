"""Runs that ask models: a real host, the tenant's own connections, the wire, and what is written down."""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from examples.model_server import ModelServer, Problem, Reply
from foundation.scope import unscoped
from runs.engine.host.host import Host
from runs.models import ModelPrice, UsageEntry
from segments.prompts.rules import PromptTexts
from segments.prompts.services import archive_prompt, save_prompt
from tenants.connections.rules import ConnectionSpec
from tenants.connections.services import save_connection
from tenants.errors import ConnectionInvalid
from tenants.models import Tenant
from tests.support.agent_bench import wants
from tests.support.engine import event_types, events_of, make_tenant
from tests.support.host import running_host
from tests.support.http_server import Answer, CountingServer
from tests.support.model_runs import ask_step, connect_model, forget, run_segment, run_steps
from tests.support.segments import segment, step
from tests.support.usage_books import assert_equal_everywhere


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    settings.EGRESS_ALLOW_HOSTS = ["127.0.0.1:*"]
    settings.EGRESS_ALLOW_CIDRS = ["127.0.0.1/32"]
    settings.SWEEP_SECONDS = 0.1


@pytest.fixture
def tenant(transactional_db: None) -> Tenant:
    return make_tenant("acme")


@pytest.fixture
def models() -> Iterator[ModelServer]:
    with ModelServer() as server:
        yield server


@pytest.fixture
def host(tenant: Tenant, models: ModelServer) -> Iterator[Host]:
    connect_model(tenant, models)
    with running_host() as running:
        yield running


def entries() -> list[UsageEntry]:
    with unscoped("tests look everywhere"):
        return list(UsageEntry.objects.order_by("at", "seq", "ordinal"))


def test_what_a_step_took_is_in_the_run_and_everywhere_else(tenant: Tenant, models: ModelServer, host: Host) -> None:
    with unscoped("an operator sets a price"):
        ModelPrice.objects.create(provider="openai", model="m-1*", input_per_million=1000, output_per_million=3000)
    models.script = lambda _asked: Reply("Forty-two.", latency_seconds=0.05)
    run = run_steps(tenant, ask_step(prompt="What is {input}?"), value="it")
    assert (run.status, run.output) == ("completed", "Forty-two.")
    assert models.asked[0].prompt == "What is it?"
    (entry,) = entries()
    assert (entry.connection, entry.provider, entry.prompt) == ("default", "openai", "")
    assert entry.model.startswith("m-1")
    assert entry.request_id
    assert entry.latency_ms >= 50
    assert entry.cost == Decimal(entry.input_tokens * 1000 + entry.output_tokens * 3000).scaleb(-6) > 0
    assert run.usage["model_calls"] == 1
    assert assert_equal_everywhere(tenant)[0] == 1


def test_an_answer_that_did_not_fit_is_counted_too(tenant: Tenant, models: ModelServer, host: Host) -> None:
    models.script = lambda _asked: Reply('{"n": "one"}')
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    run = run_steps(tenant, ask_step(prompt="x", response_schema=schema))
    assert run.error["code"] == "LLM_REPLY_INVALID"
    assert run.error["details"]["errors"][0]["pointer"] == "/n"
    assert assert_equal_everywhere(tenant)[0] == 2


def test_keys_of_the_answer_leave_by_ports_a_step_declares(tenant: Tenant, models: ModelServer, host: Host) -> None:
    models.script = lambda _asked: Reply('{"reason": "late", "reply": "Sorry."}')
    letter = ask_step(prompt="x", response_schema={"type": "object"}, ports={"output": ["output", "reply"]})
    document = segment(
        letter, step("send", "transform", expression="input + ' Yours'"),
        edges=[{"from": "ask", "from_port": "reply", "to": "send"}],
    )  # fmt: skip
    assert run_segment(tenant, document).output == "Sorry. Yours"


def test_a_cut_answer_leaves_by_its_port_and_by_no_other(tenant: Tenant, models: ModelServer, host: Host) -> None:
    models.script = lambda _asked: Reply("Once upon a", finish="length")
    document = segment(
        ask_step(prompt="x"),
        step("whole", "transform", expression="'whole'"),
        step("more", "transform", expression="input.text + ' ...' + input.reason"),
        edges=[{"from": "ask", "to": "whole"}, {"from": "ask", "from_port": "truncated", "to": "more"}],
    )
    assert run_segment(tenant, document).output == {"more": "Once upon a ...length"}
    run = run_steps(tenant, ask_step(prompt="x"))
    assert (run.status, run.error["code"]) == ("failed", "LLM_REPLY_CUT")


def test_branches_ask_at_the_same_time(tenant: Tenant, models: ModelServer, host: Host) -> None:
    models.latency_seconds = 0.3
    run_steps(tenant, ask_step(prompt="warm up"))
    ends = [f"ask_{number}" for number in range(3)]
    document = segment(
        step("split", "parallel_split", branches=3), *[ask_step(name, prompt=name) for name in ends],
        step("join", "parallel_join"),
        edges=[
            *[{"from": "split", "from_port": f"branch_{n + 1}", "to": name} for n, name in enumerate(ends)],
            *[{"from": name, "to": "join", "to_port": f"branch_{n + 1}"} for n, name in enumerate(ends)],
        ],
    )  # fmt: skip
    assert run_segment(tenant, document).output == [f"You asked: {name}" for name in ends]
    assert models.most_at_once == 3


def test_a_failure_that_may_pass_is_tried_again(tenant: Tenant, models: ModelServer, host: Host) -> None:
    answers = iter([Problem("server_error"), Reply("There.")])
    models.script = lambda _asked: next(answers)
    asking = ask_step(prompt="x")
    asking["retry"] = {"max_attempts": 2, "initial_seconds": 0.01, "factor": 1, "max_seconds": 0.01}
    run = run_steps(tenant, asking)
    assert run.output == "There."
    assert "step.retrying ask" in event_types(run.id)


def test_a_failure_leaves_by_the_error_port_with_all_that_was_tried(
    tenant: Tenant, models: ModelServer, host: Host
) -> None:
    models.script = lambda asked: Problem("unauthorised")
    document = segment(
        ask_step(prompt="x", fallback=[{"llm_ref": "default", "model": "m-2"}, "nobody"]),
        step("note", "transform", expression="[one.code for one in input.details.tried]"),
        edges=[{"from": "ask", "from_port": "error", "to": "note"}],
    )
    run = run_segment(tenant, document)
    assert run.output == ["LLM_AUTH_FAILED", "LLM_AUTH_FAILED", "CONNECTION_UNKNOWN"]


def test_a_step_s_budget_bounds_it_and_a_cheaper_model_may_stand_in(
    tenant: Tenant, models: ModelServer, host: Host
) -> None:
    with unscoped("an operator sets prices"):
        for model, dollars in (("m-1", 1000), ("m-2", 1)):
            ModelPrice.objects.create(
                provider="openai", model=f"{model}*", input_per_million=dollars, output_per_million=dollars
            )
    asking = {"prompt": "x", "max_tokens": 100, "budget": {"cost": 0.05}}
    run = run_steps(tenant, ask_step(**asking))
    assert (run.error["code"], run.error["details"]["scope"]) == ("BUDGET_EXCEEDED", "step")
    assert models.asked == []
    cheaper = {"llm_ref": "default", "model": "m-2", "on": ["budget"]}
    assert run_steps(tenant, ask_step(**asking, fallback=[cheaper])).output == "You asked: x"
    assert [asked.model for asked in models.asked] == ["m-2"]


def test_a_tool_is_called_with_the_tenant_s_secret_and_journalled(
    tenant: Tenant, models: ModelServer, host: Host
) -> None:
    with CountingServer() as shop:
        shop.route("GET", "/api/orders/7", Answer(body={"total": 12}))
        spec = ConnectionSpec(kind="http", base_url=f"{shop.url}/api", auth="bearer", allows_tools=True)
        save_connection(tenant=tenant, actor="system", ref="shop", spec=spec, secret="canary-of-the-shop")
        models.script = lambda asked: Reply(f"It says {asked.answers}") if asked.answers else wants("look_up", no="7")
        parameters = {"type": "object", "required": ["no"], "properties": {"no": {"type": "string"}}}
        tool = {"name": "look_up", "client_ref": "shop", "path": "/orders/{no}", "parameters": parameters}
        run = run_steps(tenant, ask_step(prompt="x", tools=[tool]))
        assert '"total":12' in run.output
        assert shop.calls[0].headers["authorization"] == "Bearer canary-of-the-shop"
    actions = [event for event in events_of(run.id) if event.type.startswith("action")]
    assert [event.type.removeprefix("action.") for event in actions] == ["started", "completed"] * 3
    assert [event.payload.get("model") for event in actions[::2]] == ["m-1", None, "m-1"], "the tool's between"
    assert "canary-of-the-shop" not in str([event.payload for event in events_of(run.id)])


def test_tools_have_the_cookies_of_their_connection(tenant: Tenant, models: ModelServer, host: Host) -> None:
    with CountingServer() as shop:
        shop.route("GET", "/orders/*", Answer(body={"total": 12}, headers={"Set-Cookie": "sid=1; Path=/"}))
        options = {"keeps_cookies": True}
        spec = ConnectionSpec(kind="http", base_url=shop.url, allows_tools=True, options=options)
        save_connection(tenant=tenant, actor="system", ref="shop", spec=spec)
        models.script = lambda asked: (
            Reply("Done.") if len(asked.answers) > 1 else wants("look_up", no=str(len(asked.answers)))
        )
        parameters = {"type": "object", "required": ["no"], "properties": {"no": {"type": "string"}}}
        tool = {"name": "look_up", "client_ref": "shop", "path": "/orders/{no}", "parameters": parameters}
        run = run_steps(tenant, ask_step(prompt="x", tools=[tool]), ask_step("again", prompt="y", tools=[tool]))
        assert run.output == "Done."
        assert [call.headers.get("cookie") for call in shop.calls] == [None, *["sid=1"] * 3]


def test_a_connection_s_options_hold_for_its_steps(tenant: Tenant, models: ModelServer, host: Host) -> None:
    schema = {"type": "object", "required": ["n"], "properties": {"n": {"type": "integer"}}}
    models.script = lambda _asked: Reply('{"n": 1}')
    connect_model(tenant, models, "plain", options={"stream": "never", "schema_mode": "prompt"})
    forget(host)
    for ref in ("default", "plain"):
        assert run_steps(tenant, ask_step(llm_ref=ref, prompt="x", response_schema=schema)).output == {"n": 1}
    streamed, whole = (asked.body for asked in models.asked)
    assert (streamed["stream"], streamed["response_format"]["type"]) == (True, "json_schema")
    assert {"stream", "response_format"}.isdisjoint(whole)
    for option in ({"stream": "sometimes"}, {"schema_mode": "strict"}, {"honours_idempotency_key": True}):
        with pytest.raises(ConnectionInvalid) as refused:
            connect_model(tenant, models, "plain", options=option)
        assert refused.value.errors[0].pointer == f"/options/{next(iter(option))}"


def test_two_tenants_ask_with_their_own_keys_and_a_third_is_told(
    tenant: Tenant, models: ModelServer, host: Host
) -> None:
    globex, initech = make_tenant("globex"), make_tenant("initech")
    connect_model(tenant, models, "ours", secret="of-acme")
    connect_model(globex, models, "ours", secret="of-globex", model="m-2")
    forget(host)
    for each in (tenant, globex):
        assert run_steps(each, ask_step(llm_ref="ours", prompt="x")).status == "completed"
    keys = [asked.headers["authorization"] for asked in models.asked]
    assert keys == ["Bearer of-acme", "Bearer of-globex"]
    third = run_steps(initech, ask_step(llm_ref="ours", prompt="x"))
    assert (third.error["code"], "ours" in third.error["message"]) == ("CONNECTION_UNKNOWN", True)
    assert len(models.asked) == 2


@pytest.mark.parametrize(
    ("config", "asked"),
    [
        ({}, '{"question":"Why?"}'),
        ({"model": "gpt-4", "system_prompt": "Analyze the data"}, '{"question":"Why?"}'),
        ({"llm_ref": "default", "prompt": "Answer this: {question}"}, "Answer this: Why?"),
        ({"prompt": "Analyze the following data: {input}"}, 'Analyze the following data: {"question":"Why?"}'),
    ],
)
def test_what_canvases_leave_out_is_filled_in(
    tenant: Tenant, models: ModelServer, host: Host, config: dict[str, Any], asked: str
) -> None:
    run = run_steps(tenant, step("ask", "llm_agent", **config), value={"question": "Why?"})
    assert run.output == f"You asked: {asked}"


def store(tenant: Tenant, prompt: str, **more: str) -> None:
    save_prompt(tenant=tenant, actor="system", template_id="letter", texts=PromptTexts(prompt, **more))


def test_a_stored_prompt_is_the_one_that_is_current_when_the_step_runs(
    tenant: Tenant, models: ModelServer, host: Host
) -> None:
    store(tenant, "First to {who}", system_prompt="You are {{ input.mood }}.")
    current, pinned = ask_step(prompt_template_id="letter"), ask_step(prompt_template_id="letter@1")
    value = {"who": "Ann", "mood": "glad"}
    assert run_steps(tenant, current, value=value).output == "You asked: First to Ann"
    store(tenant, "Second to {who}")
    assert run_steps(tenant, current, value=value).output == "You asked: Second to Ann"
    assert run_steps(tenant, pinned, value=value).output == "You asked: First to Ann"
    assert [asked.system for asked in models.asked] == ["You are glad.", "", "You are glad."]
    assert [entry.prompt for entry in entries()] == ["letter@1", "letter@2", "letter@1"]


def test_a_stored_prompt_may_name_any_step_before(tenant: Tenant, models: ModelServer, host: Host) -> None:
    store(tenant, "{{ steps.first.output }} and {{ input }}")
    first, second = step("first", "transform", expression="1"), step("second", "transform", expression="2")
    run = run_steps(tenant, first, second, ask_step(prompt_template_id="letter"))
    assert run.output == "You asked: 1 and 2"


def test_a_stored_prompt_that_is_not_there_fails_the_step(tenant: Tenant, models: ModelServer, host: Host) -> None:
    globex = make_tenant("globex")
    store(globex, "Of globex")
    store(tenant, "Here")
    assert run_steps(tenant, ask_step(prompt_template_id="letter")).output == "You asked: Here"
    save_prompt(tenant=globex, actor="system", template_id="theirs", texts=PromptTexts("Of globex"))
    for name in ("theirs", "letter@2", "nothing"):
        run = run_steps(tenant, ask_step(prompt_template_id=name))
        assert (run.error["code"], name.partition("@")[0] in run.error["message"]) == ("PROMPT_UNKNOWN", True)
    archive_prompt(tenant=tenant, actor="system", template_id="letter")
    for name in ("letter", "letter@1"):
        assert "archived" in run_steps(tenant, ask_step(prompt_template_id=name)).error["message"]
    assert len(models.asked) == 1
