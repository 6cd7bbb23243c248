"""Certificates and keys of connections are checked when they are saved, sealed, and never shown again."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from rest_framework.test import APIClient

from foundation.scope import tenant_scope
from tenants.models import Connection
from tenants.sealing import open_from
from tests.conftest import Customer
from tests.support.certificates import Authority

Api = Callable[[Customer], APIClient]
HOUSE = Authority("House CA")
ANN, BOB, OLD, LATER = (
    HOUSE.issue(name, days=days)
    for name, days in (("ann", (-1, 90)), ("bob", (-1, 90)), ("old", (-9, -2)), ("later", (2, 9)))
)
GOOD = {"ca": HOUSE.pem, "certificate": ANN.certificate, "key": ANN.key}
WEAK = Authority("Weak CA").issue("weak", bits=1024)
BARE = {"kind": "http", "base_url": "https://crm.example.com/api"}
CUT = ANN.certificate.replace("MII", "MIJ", 1)


def encrypted(key: str) -> str:
    return (
        serialization.load_pem_private_key(key.encode(), None)
        .private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
        .decode()
    )


def put(client: APIClient, tls: dict[str, str] | None, **more: Any) -> Any:
    return client.put("/api/v1/connections/crm", {**BARE, **more, **({} if tls is None else {"tls": tls})})


def test_they_are_kept_and_shown_without_the_key(acme: Customer, api: Api) -> None:
    client = api(acme)
    made = put(client, GOOD)
    assert made.status_code == 201, made.content
    shown = client.get("/api/v1/connections/crm").json()["tls"]
    assert (shown["ca"], shown["certificate"], shown["has_key"]) == (HOUSE.pem.strip(), ANN.certificate.strip(), True)
    assert shown["expires_at"] < shown["ca_expires_at"]
    assert "PRIVATE KEY" not in made.content.decode() + str(shown)
    with tenant_scope(acme.tenant.id):
        row = Connection.objects.get()
        assert "PRIVATE KEY" not in row.tls_key
        assert open_from(row, "tls_key") == ANN.key.strip()


def test_the_key_stays_with_its_certificate_and_goes_with_it(acme: Customer, api: Api) -> None:
    client = api(acme)
    put(client, GOOD)
    without_key = {name: text for name, text in GOOD.items() if name != "key"}
    assert put(client, without_key).json()["tls"]["has_key"]
    other = put(client, {**without_key, "certificate": BOB.certificate})
    assert [item["code"] for item in other.json()["errors"]] == ["KEY_OF_ANOTHER"]
    assert put(client, {"ca": HOUSE.pem}).json()["tls"]["has_key"] is False
    assert [item["code"] for item in put(client, without_key).json()["errors"]] == ["MISSING_FIELD"]
    none = put(client, None).json()["tls"]
    assert none == {"ca": None, "ca_expires_at": None, "certificate": None, "expires_at": None, "has_key": False}


@pytest.mark.parametrize(
    ("flaw", "place", "sentence"),
    [
        ({"ca": "hello"}, ("/tls/ca", "NO_CERTIFICATE"), "`ca` holds no certificate in PEM."),
        ({"ca": HOUSE.pem + CUT}, ("/tls/ca", "CERTIFICATE_UNREADABLE"), "Certificate 2 of `ca` cannot be read."),
        ({"ca": HOUSE.pem + ANN.key}, ("/tls/ca", "PRIVATE_KEY_THERE"), "which goes into `key` alone"),
        ({"ca": OLD.certificate}, ("/tls/ca", "CERTIFICATE_EXPIRED"), "Certificate 1 of `ca` has expired on 20"),
        (
            {"certificate": LATER.certificate, "key": LATER.key},
            ("/tls/certificate", "CERTIFICATE_NOT_YET_VALID"),
            "Certificate 1 of `certificate` is valid from 20",
        ),
        ({"certificate": CUT}, ("/tls/certificate", "CERTIFICATE_UNREADABLE"), "Certificate 1 of `certificate`"),
        ({"certificate": ""}, ("/tls/certificate", "MISSING_FIELD"), "needs its client certificate"),
        ({"key": BOB.key}, ("/tls/key", "KEY_OF_ANOTHER"), "does not belong to the first certificate"),
        ({"key": WEAK.key}, ("/tls/key", "KEY_OF_ANOTHER"), "does not belong to the first certificate"),
        ({"key": encrypted(ANN.key)}, ("/tls/key", "KEY_ENCRYPTED"), "protected by a passphrase"),
        ({"key": "hello"}, ("/tls/key", "KEY_UNREADABLE"), "cannot be read as PEM"),
    ],
)
def test_each_flaw_is_refused_in_a_sentence(
    acme: Customer, api: Api, flaw: dict[str, str], place: tuple[str, str], sentence: str
) -> None:
    client = api(acme)
    assert put(client, GOOD).status_code == 201
    wanted = {name: text for name, text in {**GOOD, **flaw}.items() if text}
    answer = put(client, wanted)
    assert answer.status_code == 422
    (found,) = answer.json()["errors"]
    assert (found["pointer"], found["code"]) == place
    assert sentence in found["detail"]
    assert "PRIVATE KEY" not in answer.content.decode()


def test_a_key_too_weak_for_tls_is_refused(acme: Customer, api: Api) -> None:
    answer = put(api(acme), {"certificate": WEAK.certificate, "key": WEAK.key})
    assert [item["code"] for item in answer.json()["errors"]] == ["CERTIFICATE_REFUSED"]
    assert "key too small" in answer.json()["detail"]


def test_certificates_have_no_use_without_tls(acme: Customer, api: Api, settings: Any) -> None:
    answer = put(api(acme), GOOD, base_url="http://crm.example.com/api")
    assert [item["code"] for item in answer.json()["errors"]] == ["NOT_TLS"]
