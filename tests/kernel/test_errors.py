"""The tree of errors: what a translator may rely on."""

import pickle

import pytest

from kernel import errors
from kernel.errors import ErrorItem, LlmteamError, sentences

KINDS = {
    errors.Malformed: 400,
    errors.NotAuthenticated: 401,
    errors.Refused: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.TooLarge: 413,
    errors.Invalid: 422,
    errors.LimitReached: 429,
    errors.Unavailable: 503,
}


@pytest.mark.parametrize(("kind", "status"), KINDS.items())
def test_each_kind_has_its_status_and_a_stable_code(kind: type[LlmteamError], status: int) -> None:
    assert kind.status == status
    assert kind.code == kind.code.upper()
    assert f"{kind.__name__} " in (errors.__doc__ or "")
    assert str(status) in (errors.__doc__ or "")


def test_an_error_tells_its_facts() -> None:
    item = ErrorItem(code="X", detail="x is wrong", pointer="/x")
    error = errors.Conflict("The run is over.", errors=[item], extra={"state": "completed"})
    assert (error.detail, str(error)) == ("The run is over.", "The run is over.")
    assert error.errors == (item,)
    assert error.extra == {"state": "completed"}


def test_the_title_stands_in_for_a_missing_sentence() -> None:
    assert errors.NotFound().detail == errors.NotFound.title


def test_a_subclass_may_turn_a_limit_into_a_used_up_plan() -> None:
    class PlanUsedUp(errors.LimitReached):
        code = "PLAN_USED_UP"
        status = 402

    assert isinstance(PlanUsedUp(), errors.LimitReached)
    assert PlanUsedUp().status == 402


def test_an_error_survives_pickling() -> None:
    error = errors.Invalid("wrong", errors=[ErrorItem("A", "b")], extra={"n": 1})
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (copy.detail, copy.errors, copy.extra) == (error.detail, error.errors, error.extra)


def test_sentences_do_not_run_together() -> None:
    assert sentences("The host failed", "See why.") == "The host failed. See why."
    assert sentences("The host failed.", "", "Why?", "No more") == "The host failed. Why? No more."
