"""What every answer carries, and what an unforeseen error looks like."""

import base64
import os
import re
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError
from django.test import RequestFactory
from rest_framework.response import Response
from rest_framework.test import APIClient
from rest_framework.views import APIView

from devserver.folders import CHECKOUT
from llmteam import front_door
from llmteam.api import problems
from tests.conftest import Customer

Api = Callable[[Customer], APIClient]
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_every_answer_has_an_id_of_its_own(acme: Customer, api: Api) -> None:
    ids = {api(acme).get(path)["X-Request-Id"] for path in ("/api/v1/me", "/api/v1/me", "/api/nothing", "/admin/")}
    assert len(ids) == 4


def test_a_callers_trace_is_continued_with_our_span(acme: Customer, api: Api) -> None:
    answer = api(acme).get("/api/v1/me", headers={"traceparent": PARENT})
    assert re.fullmatch(r"00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01", answer["traceparent"])
    assert answer["traceparent"] != PARENT


@pytest.mark.parametrize(
    "text", ["", "x", PARENT.upper(), "00-" + "0" * 32 + PARENT[35:], PARENT + "-x", "ff" + PARENT[2:]]
)
def test_what_is_no_trace_begins_a_new_one(acme: Customer, api: Api, text: str) -> None:
    answer = api(acme).get("/api/v1/me", headers={"traceparent": text})
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-00", answer["traceparent"])
    assert "0af7651916cd43dd" not in answer["traceparent"]


class _Failing(APIView):
    authentication_classes = ()
    permission_classes = ()
    error: Exception = ZeroDivisionError("a secret in a message")

    def get(self, request: Any) -> Response:
        raise self.error


def test_the_unforeseen_is_a_problem_with_an_id_and_without_a_secret(caplog: pytest.LogCaptureFixture) -> None:
    answer = _Failing.as_view()(RequestFactory().get("/api/v1/me"))
    answer.render()
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert b"INTERNAL_ERROR" in answer.content
    assert b"secret" not in answer.content
    assert "ZeroDivisionError" in caplog.text


def test_a_database_that_is_away_is_a_503_with_a_time_to_come_back() -> None:
    answer = _Failing.as_view(error=OperationalError("host=10.0.0.7 refused"))(RequestFactory().get("/api/v1/me"))
    answer.render()
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert b"10.0.0.7" not in answer.content


@pytest.mark.parametrize("handler", [front_door.not_found, problems.bad_request, problems.permission_denied])
def test_what_django_refuses_itself_is_a_problem_below_api_only(handler: Any) -> None:
    below = handler(RequestFactory().get("/api/v1/x"), Exception())
    assert below["Content-Type"] == "application/problem+json"
    elsewhere = handler(RequestFactory().get("/admin/x"), Exception())
    assert elsewhere["Content-Type"].startswith("text/html")
    assert problems.server_error(RequestFactory().get("/api")).status_code == 500


def test_an_unknown_host_is_refused(client: Any) -> None:
    assert client.get("/api/v1/me").status_code == 401
    answer = client.get("/api/v1/me", headers={"host": "evil.example"})
    assert (answer.status_code, answer["Content-Type"]) == (400, "application/problem+json")


def test_the_deploy_check_is_clean_in_production() -> None:
    production = {name: value for name, value in os.environ.items() if name not in {"LLMTEAM_DEVELOPMENT", "DEBUG"}}
    production |= {"SECRET_KEY": "x1Y2z3" * 12, "ALLOWED_HOSTS": "llmteam.example"}
    key = base64.b64encode(bytes(range(32))).decode()
    production |= {"SECRET_KEYS": f"1:{key}", "AUDIT_SIGNING_KEY": key}
    command = [sys.executable, "-W", "error", "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    done = subprocess.run(command, cwd=CHECKOUT, env=production, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
