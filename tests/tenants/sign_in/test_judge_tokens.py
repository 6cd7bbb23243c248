"""What is read of a token and of a person, whatever a provider sends: claims or a reason, never another error."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.sign_in.claims import merge_claims, verified_email
from tenants.sign_in.errors import TokenRefused
from tenants.sign_in.id_tokens import ExpectedClaims, key_id, read_id_token
from tests.support.issuer import EC_KEY, RSA_KEY, by_hand, jwk_of, sign

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
EXPECTED = ExpectedClaims("https://issuer.example", "us", "n")
HONEST: dict[str, Any] = {"iss": EXPECTED.issuer, "aud": "us", "exp": 1300, "iat": 1000, "nonce": "n", "sub": "s"}
KEYS = [jwk_of(RSA_KEY, "k1"), jwk_of(EC_KEY, "k2")]
SIGNER = jwt.algorithms.RSAAlgorithm(jwt.algorithms.RSAAlgorithm.SHA256)
ODD = "\u00ff\u00fb\u00be\u00ff\u00ef?>?>~~~"
"""Whose base64 has both letters in which the alphabets differ."""
TOKENS = [sign(HONEST), sign(HONEST, EC_KEY, "ES256", kid="k2")]


def reason_of(token: Any, keys: Any = KEYS, now: float = 1000) -> str | None:
    """Read a token; the reason it is refused for, None if it is believed."""
    try:
        key_id(token)
        read_id_token(token, keys=keys, expected=EXPECTED, now=now)
    except TokenRefused as refusal:
        return refusal.reason
    return None


def test_honest_tokens_are_believed() -> None:
    assert [reason_of(token) for token in TOKENS] == [None, None]
    assert reason_of(sign({**HONEST, "sub": "x" * 255})) is None


def test_a_token_is_not_refused_for_an_integer_beyond_2_to_the_53() -> None:
    large = 2**53 + 1
    assert reason_of(sign({**HONEST, "account": large}, account=large)) is None


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def other_bits(part: str) -> str:
    """Write the last letter with bits that no reader looks at."""
    return part[:-1] + ALPHABET[ALPHABET.index(part[-1]) + 1]


ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "padding": lambda part: part + "==",
    "one sign of padding": lambda part: part + "=",
    "more padding than there is room for": lambda part: part + "=====",
    "padding within": lambda part: part[:4] + "=" + part[4:],
    "a line end behind": lambda part: part + "\n",
    "a blank before": lambda part: " " + part,
    "a line end within": lambda part: part[:64] + "\r\n" + part[64:],
    "a sign of no alphabet": lambda part: part[:4] + "*" + part[4:],
    "the other alphabet": lambda part: part.replace("-", "+").replace("_", "/"),
    "bits that say nothing": other_bits,
}


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", [0, 1, 2], ids=["header", "claims", "signature"])
def test_a_part_that_is_spelled_otherwise_is_refused_though_it_is_signed(place: int, spelling: str) -> None:
    def token(*, is_odd: bool) -> str:
        parts: list[str] = []
        for said in ({"alg": "RS256", "kid": "k1", "x": ODD}, {**HONEST, "x": ODD}):
            text = json.dumps(said, ensure_ascii=False).encode()
            parts.append(encoded(text + b" " * ((1 - len(text)) % 3)))
        for at in (0, 1):
            parts[at] = SPELLINGS[spelling](parts[at]) if is_odd and at == place else parts[at]
        parts.append(encoded(SIGNER.sign(".".join(parts).encode(), RSA_KEY)))
        parts[2] = SPELLINGS[spelling](parts[2]) if is_odd and place == 2 else parts[2]
        return ".".join(parts)

    assert reason_of(token(is_odd=False)) is None
    honest, odd = (token(is_odd=is_odd).split(".")[place] for is_odd in (False, True))
    assert honest != odd
    assert reason_of(token(is_odd=True)) == "form"


@pytest.mark.parametrize("parts", ["{0}.{1}", "{0}.{1}.{2}.", ".{0}.{1}.{2}", "{0}..{2}", "{0}.{1}."])
def test_a_token_has_three_parts(parts: str) -> None:
    assert reason_of(TOKENS[0]) is None
    assert reason_of(parts.format(*TOKENS[0].split("."))) in {"form", "signature"}


def test_clocks_may_differ_by_a_minute_and_no_more() -> None:
    assert [reason_of(TOKENS[0], now=now) for now in (939, 940, 1359, 1360)] == ["iat", None, None, "exp"]
    assert [reason_of(sign({**HONEST, "nbf": nbf})) for nbf in (1060, 1061)] == [None, "nbf"]


@pytest.mark.parametrize("name", sorted(HONEST))
@given(value=JSON)
def test_any_value_of_a_claim_is_judged(name: str, value: Any) -> None:
    said = {**HONEST, name: value}
    if name == "iss" and not isinstance(value, str):
        said["iss"] = str(value)  # the library that signs takes no other
    if reason_of(sign(said)) is None:
        assert isinstance(value, str | int | float | list)


@given(header=st.dictionaries(st.sampled_from(["alg", "kid", "crit", "typ", "b64", "jwk", "x5c"]), JSON))
def test_any_header_is_judged(header: dict[str, Any]) -> None:
    signature = base64.urlsafe_b64decode(TOKENS[0].split(".")[2] + "==")
    token = by_hand({"alg": "RS256", "kid": "k1", **header}, HONEST, signature)
    assert reason_of(token) in {"form", "header", "alg", "kid", "signature"}, "it was signed with another header"


@given(changed=st.dictionaries(st.sampled_from(["n", "e", "kty", "alg", "use", "kid", "d", "crv", "x", "y"]), JSON))
def test_any_published_key_is_judged(changed: dict[str, Any]) -> None:
    for token, key in zip(TOKENS, KEYS, strict=True):
        assert reason_of(token, [{**key, **changed}]) in {None, "kid", "key", "signature"}


@given(token=st.text(max_size=60) | st.from_regex(r"[A-Za-z0-9_-]{1,20}(\.[A-Za-z0-9_-]{0,20}){1,3}") | JSON)
def test_anything_that_is_no_token_is_refused(token: Any) -> None:
    assert reason_of(token) is not None


@given(signed=st.dictionaries(st.text(max_size=8), JSON), told=st.dictionaries(st.text(max_size=8), JSON))
def test_anything_can_be_told_of_a_person(signed: dict[str, Any], told: dict[str, Any]) -> None:
    assert verified_email(merge_claims(signed, told)) is None


def test_an_e_mail_and_its_verification_come_from_one_place() -> None:
    ann, bob = {"email": "ann@acme.example"}, {"email": "bob@acme.example"}
    is_so, is_not = {"email_verified": True}, {"email_verified": False}

    def read(signed: dict[str, Any], told: dict[str, Any]) -> str | None:
        return verified_email(merge_claims(signed, told))

    assert read({**ann, **is_so}, {}) == read({}, {**ann, **is_so}) == "ann@acme.example"
    assert read(ann, {**ann, **is_so}) == "ann@acme.example"
    assert read({**ann, **is_so}, {**bob, **is_so}) == "ann@acme.example"
    for signed, told in [(is_so, ann), (ann, is_so), (is_so, {**ann, **is_not}), ({**ann, **is_not}, {**ann, **is_so})]:
        assert read(signed, told) is None, (signed, told)
    assert read(ann, {**bob, **is_so}) is None


@pytest.mark.parametrize("no", [False, "false", "False", 0, "0"], ids=repr)
def test_an_e_mail_that_one_of_both_calls_unverified_is_unverified(no: Any) -> None:
    ann, bob = {"email": "ann@acme.example"}, {"email": "bob@acme.example"}
    vouching = {**ann, "email_verified": True}
    for silent in ({}, ann, {**ann, "email_verified": None}, {**bob, "email_verified": no}):
        assert verified_email(merge_claims(vouching, silent)) == "ann@acme.example", silent
    for calling in ({**ann, "email_verified": no}, {"email": "ANN@acme.example", "email_verified": no}):
        assert verified_email(merge_claims(vouching, calling)) is None
        assert verified_email(merge_claims(calling, vouching)) is None
    for calling in ({"email_verified": no}, {"email": None, "email_verified": no}):
        assert verified_email(merge_claims(vouching, calling)) is None
        assert verified_email(merge_claims(calling, vouching), trusted=True) is None


@pytest.mark.parametrize("told", ["true", 1, "1", ["true"], None, False, {}], ids=str)
def test_only_the_boolean_true_verifies(told: Any) -> None:
    assert verified_email({"email": "Ann@Acme.example", "email_verified": True}) == "ann@acme.example"
    assert verified_email({"email": "Ann@Acme.example", "email_verified": told}) is None


@pytest.mark.parametrize(
    "email",
    [
        "ann",
        "ann@",
        "@acme.example",
        "ann@acme@evil.example",
        "a nn@acme.example",
        "ann@acme.example\n",
        "\x00ann@acme.example",
        "\u212aen@acme.example",
        "ann@\u0430cme.example",
        "x" * 250 + "@acme.example",
        7,
    ],
    ids=ascii,
)
def test_what_is_no_address_is_none(email: Any) -> None:
    assert verified_email({"email": email, "email_verified": True}) is None
