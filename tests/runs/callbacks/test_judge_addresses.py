"""Which addresses and headers a callback may have. Pure."""

import pytest

from kernel.egress import EgressBlocked, HeaderRefused, build_policy
from runs.callbacks.address import MAX_HEADER_BYTES, MAX_HEADERS, check_address, check_own_headers, host_of

PUBLIC = build_policy()
ON_SITE = build_policy(allow_hosts=["n8n.internal:5678", "127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])


def test_https_goes_anywhere_public() -> None:
    assert check_address("https://hooks.example.com/x?y", PUBLIC).path == "/x?y"


@pytest.mark.parametrize("url", ["http://hooks.example.com/x", "http://n8n.internal:5678/x"])
def test_http_goes_only_where_the_operator_listed(url: str) -> None:
    with pytest.raises(EgressBlocked):
        check_address(url, PUBLIC)
    assert check_address("http://n8n.internal:5678/x", ON_SITE).listed
    with pytest.raises(EgressBlocked, match="https"):
        check_address("http://hooks.example.com/x", ON_SITE)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://hooks.example.com/",
        "https://user:pw@hooks.example.com/",
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1/x",
        "https://localhost/x",
        "https://hooks.example.com/ x",
        "https://hooks.example.com/ü",
        "hooks.example.com/x",
        "",
    ],
)
def test_nothing_else_is_an_address(url: str) -> None:
    assert check_address("https://hooks.example.com/", PUBLIC)
    with pytest.raises(EgressBlocked):
        check_address(url, PUBLIC)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Hooks.Example.com/x?secret", "hooks.example.com"),
        ("https://hooks.example.com:8443/x", "hooks.example.com:8443"),
        ("https://hooks.example.com:443/x", "hooks.example.com"),
        ("https://[2606:4700::1111]:8443/x", "[2606:4700::1111]:8443"),
    ],
)
def test_a_host_is_named_without_path_or_query(url: str, host: str) -> None:
    assert host_of(check_address(url, PUBLIC)) == host


def test_a_caller_s_own_headers_pass() -> None:
    check_own_headers([("Authorization", "Bearer abc"), ("X-Trace", "1"), ("User-Agent", "mine")])


@pytest.mark.parametrize(
    "headers",
    [
        [("Host", "elsewhere")],
        [("Content-Length", "3")],
        [("Content-Type", "text/plain")],
        [("Webhook-Signature", "v1,forged")],
        [("webhook-id", "1")],
        [("WEBHOOK_ID", "1")],
        [("X-A", "1"), ("X_A", "2")],
        [("X-A", "one\r\nX-B: two")],
        [("X A", "one")],
        [("X-A", "1"), ("x-a", "2")],
        [(f"X-{number}", "1") for number in range(MAX_HEADERS + 1)],
        [("X-A", "x" * MAX_HEADER_BYTES)],
    ],
)
def test_headers_of_the_platform_and_unsendable_ones_are_refused(headers: list[tuple[str, str]]) -> None:
    with pytest.raises(HeaderRefused):
        check_own_headers(headers)


def test_a_refused_http_says_what_to_add_and_that_helps() -> None:
    with pytest.raises(EgressBlocked) as refused:
        check_address("http://hooks.example.com/a", build_policy())
    assert "by adding `hooks.example.com:80` to EGRESS_ALLOW_HOSTS" in refused.value.explanation
    assert check_address("http://hooks.example.com/a", build_policy(allow_hosts=["hooks.example.com:80"]))
