"""The API's description is open to anybody, small to those who take gzip, and in nobody's way."""

import gzip
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from rest_framework.test import APIClient

from tests.conftest import Customer
from tests.support.server import running_server


def test_description_and_page_are_open_to_anybody(db: None) -> None:
    client = APIClient()
    assert client.get("/api/schema/").status_code == 200
    assert client.get("/api/schema/?format=json").json()["info"]["title"] == "llmteam"
    assert b"swagger" in client.get("/api/docs/").content


def test_who_has_the_description_already_is_told_so(db: None) -> None:
    client = APIClient()
    for path in ("/api/schema/", "/api/schema/?format=json"):
        first = client.get(path)
        again = client.get(path, headers={"If-None-Match": first["ETag"]})
        assert (again.status_code, again.content, again["ETag"]) == (304, b"", first["ETag"])
        assert client.get(path, headers={"If-None-Match": '"another"'}).content == first.content
    assert client.get("/api/schema/")["ETag"] != client.get("/api/schema/?format=json")["ETag"]
    assert client.post("/api/schema/").status_code == 405


@pytest.mark.parametrize(
    ("accepted", "is_zipped"),
    [("gzip, br", True), ("GZIP;q=0.5", True), ("", False), ("br", False), ("gzip;q=0", False), ("gzip; q=0.0", False)],
)
def test_who_takes_gzip_gets_a_small_description(db: None, accepted: str, is_zipped: bool) -> None:
    client = APIClient()
    plain = client.get("/api/schema/?format=json")
    answer = client.get("/api/schema/?format=json", headers={"Accept-Encoding": accepted})
    assert answer.get("Content-Encoding") == ("gzip" if is_zipped else None)
    assert (answer["ETag"] == plain["ETag"]) is not is_zipped
    assert "Accept-Encoding" in answer["Vary"]
    assert (gzip.decompress(answer.content) if is_zipped else answer.content) == plain.content
    assert len(answer.content) * 5 < len(plain.content) or not is_zipped


@pytest.mark.soak
@pytest.mark.django_db(transaction=True)
def test_many_who_ask_for_it_at_once_are_in_nobodys_way(acme: Customer) -> None:
    """Made for each, forty of them kept others waiting for 5.6 s."""
    with running_server() as server, server.caller() as caller, server.caller(acme.key) as other:
        alone, took = max(seconds_of(other) for _ in range(5)), list[float]()
        with ThreadPoolExecutor(40) as pool:
            asked = [pool.submit(caller.get, "/api/schema/") for _ in range(200)]
            while not all(one.done() for one in asked):
                took.append(seconds_of(other))
        assert {one.result().status_code for one in asked} == {200}
        assert len({one.result().content for one in asked}) == 1
    print(f"200 descriptions at once: the worst of {len(took)} other requests took {max(took):.3f} s")
    assert max(took) < max(2, 20 * alone), "on a machine that does much else, one alone waits longer too"


def seconds_of(caller: httpx.Client) -> float:
    began = time.monotonic()
    assert caller.get("/api/v1/me").status_code == 200
    return time.monotonic() - began
