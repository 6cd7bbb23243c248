"""The pure decision about URLs, hosts and addresses."""

# ruff: noqa: RUF001 - look-alike characters are what is tested

import re
import socket

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kernel.egress import EgressBlocked, Policy, build_policy, check_url
from kernel.egress.policy import check_addresses, check_host

POLICY = Policy()


@pytest.mark.parametrize(
    ("url", "spelled"),
    [
        ("https://example.com", "https://example.com/"),
        ("HTTPS://EXAMPLE.com./a?b=c#d", "https://example.com/a?b=c"),
        ("https://example.com?x=1", "https://example.com/?x=1"),
        ("http://example.com:80/", "http://example.com/"),
        ("http://example.com:8080/", "http://example.com:8080/"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/ü"),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/"),
        ("https://a_b.example.com/", "https://a_b.example.com/"),
        ("https://example.com/a@b:c", "https://example.com/a@b:c"),
        ("http://1.1.1.1/", "http://1.1.1.1/"),
        ("http://[2606:4700:0::1111]/", "http://[2606:4700::1111]/"),
        ("https://127.0.0.1.nip.io/", "https://127.0.0.1.nip.io/"),
    ],
)
def test_a_good_url_gets_its_one_spelling(url: str, spelled: str) -> None:
    assert check_url(url, POLICY).url == spelled


BLOCKED = {
    "scheme": """
        ftp://example.com/ file:///etc/passwd javascript:alert(1) ws://example.com/ https:/example.com
        https:example.com //example.com/ /path example.com http http:// jar:https://example.com!/
        unix:///var/run/docker.sock dict://example.com:80/ gopher://example.com:80/_x data:text/plain,x
    """,
    "user name": """
        https://u@example.com/ https://u:p@example.com/ https://@example.com/ https://a%40b@example.com/
        https://example.com:80@127.0.0.1/ https://:@example.com/
    """,
    "host": """
        http:///127.0.0.1/ https://loc%61lhost/ https://%31%32%37.0.0.1/ https://a..b.com/ https://.example.com/
        https://example.com../ https://-a.example.com/ https://a-.example.com/ https://exa|mple.com/
        https://exa<mple.com/ https://[example.com]/ https://[::1/ https://::1/ https://[]/ https://[1.1.1.1]/
        https://[::1]x/ https://example.com:/ https://*.example.com/ https://ⓔxample.com/ https://a,b.example.com/
        https://example.com;x/ https://ℓocalhost/ https://exam＠ple.com/
    """,
    "encoded address": """
        http://2130706433/ http://0x7f000001/ http://0X7F000001/ http://0x7f.0.0.1/ http://0177.0.0.1/ http://127.1/
        http://127.0.1/ http://017700000001/ http://127.0.0.1./ http://127.0.0.01/ http://0/ http://0x/
        http://00000000000000000177.0.0.1/ http://1.1.1.1.1/ http://256.256.256.256/ http://127。0。0。1/
        http://127．0．0．1/ http://127｡0｡0｡1/ http://①②⑦.⓪.⓪.①/ http://１２７.0.0.1/ http://example.0x10/ http://1.1/
        http://1.1.1.0x1/ http://1.1.1.08/ http://4294967296/ http://٢.1.1.1/ http://example。com/
    """,
    "internal name": """
        http://localhost/ http://LOCALHOST/ http://localhost./ http://app.localhost/ http://db.internal/
        http://metadata.google.internal/ http://metadata/ http://printer.local/ http://router.lan/ http://nas.home/
        http://x.home.arpa/ http://kubernetes.default.svc/ http://a.default.svc.cluster.local/ http://redis/
        http://x.onion/ http://localhost.localdomain/ http://ip6-localhost/ http://sso.corp/ http://x.private/
        http://x.intranet/ http://x.invalid/ http://vault.service.consul/
    """,
    "port": """
        http://example.com:22/ http://example.com:5432/ http://example.com:0/ http://example.com:65536/
        http://example.com:99999/ http://example.com:6379/ http://example.com:-80/ http://example.com:+80/
        http://example.com:８０/ http://example.com:000000080/ http://example.com:80:80/ http://example.com:0x50/
    """,
    "IPv4": """
        http://0.0.0.0/ http://0.1.2.3/ http://10.0.0.1/ http://10.255.255.255/ http://100.64.0.1/
        http://100.127.255.255/ http://127.0.0.1/ http://127.255.255.254/ http://169.254.169.254/
        http://169.254.170.2/ http://172.16.0.1/ http://172.31.255.255/ http://192.0.0.1/ http://192.0.0.192/
        http://192.0.2.1/ http://192.31.196.1/ http://192.52.193.1/ http://192.88.99.1/ http://192.168.0.1/
        http://192.175.48.1/ http://198.18.0.1/ http://198.19.255.255/ http://198.51.100.1/ http://203.0.113.1/
        http://224.0.0.1/ http://239.255.255.255/ http://240.0.0.1/ http://255.255.255.255/ http://168.63.129.16/
        http://100.100.100.200/
    """,
    "IPv6": """
        http://[::]/ http://[::1]/ http://[::ffff:127.0.0.1]/ http://[::ffff:8.8.8.8]/ http://[::127.0.0.1]/
        http://[::ffff:0:127.0.0.1]/ http://[64:ff9b::8.8.8.8]/ http://[64:ff9b:1::1]/ http://[100::1]/
        http://[2001::1]/ http://[2001:db8::1]/ http://[2001:20::1]/ http://[2002:7f00:1::]/ http://[2002:808:808::]/
        http://[2620:4f:8000::1]/ http://[3fff::1]/ http://[5f00::1]/ http://[fc00::1]/ http://[fd00:ec2::254]/
        http://[fe80::1]/ http://[fe80::1%25eth0]/ http://[fe80::1%eth0]/ http://[fec0::1]/ http://[ff02::1]/
        http://[4000::1]/ http://[1::1]/ http://[0:0:0:0:0:ffff:7f00:1]/ http://[2606:4700::1111%251]/
    """,
}
ODD_CHARACTERS = [
    "",
    " https://example.com/",
    "https://exa mple.com/",
    "https://example.com/a b",
    "https://example.com/\n",
    "https://example.com\t/",
    "https://example.com\r\nHost: x/",
    "https://example.com\\@127.0.0.1/",
    "https:\\\\example.com/",
    "https://example.com/\x00",
    "https://exam\u200bple.com/",
    "https://example.com/\u2028",
    "https://\u202eexample.com/",
    "https://exam\xadple.com/",
    "https://e\x7f.com/",
    "https://e\x85.com/",
    "\ufeffhttps://example.com/",
    "https://example.com/\ud800",
    "https://a\u0300\u0300.\u0300com/",
    "https://example.com/" + "a" * 9000,
    "https://" + "a" * 64 + ".com/",
    "https://" + ".".join(["a" * 60] * 5) + ".com/",
]
BESIDE_REFUSED_RANGES = """
    9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 172.15.255.255 172.32.0.0 192.0.1.0
    198.17.255.255 198.20.0.0 223.255.255.255 168.63.129.17 169.253.255.255 2606:4700::1111 2001:200::1 2003::1
    2620:4f:8001::1 2400::1
"""


@pytest.mark.parametrize(("kind", "url"), [(kind, url) for kind, urls in BLOCKED.items() for url in urls.split()])
def test_a_bad_url_is_blocked(kind: str, url: str) -> None:
    assert check_url("https://example.com/", POLICY).host == "example.com"
    with pytest.raises(EgressBlocked, match=r"^blocked by egress policy"):
        check_url(url, POLICY)


@pytest.mark.parametrize("url", ODD_CHARACTERS)
def test_characters_parsers_disagree_about_are_blocked(url: str) -> None:
    assert check_url("https://example.com/", POLICY).host == "example.com"
    with pytest.raises(EgressBlocked, match=r"^blocked by egress policy"):
        check_url(url, POLICY)


def test_the_cases_of_our_own_are_many() -> None:
    count = sum(len(urls.split()) for urls in BLOCKED.values()) + len(ODD_CHARACTERS)
    print(f"egress: {count} more blocked URLs, {len(BESIDE_REFUSED_RANGES.split())} addresses beside refused ranges")
    assert count > 150


@pytest.mark.parametrize("address", BESIDE_REFUSED_RANGES.split())
def test_addresses_beside_the_refused_ranges_pass(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    assert check_url(f"http://{host}/", POLICY).host == address


@pytest.mark.parametrize(
    "addresses",
    [
        [],
        ["10.0.0.1"],
        ["1.1.1.1", "127.0.0.1"],
        ["127.0.0.1", "1.1.1.1"],
        ["fe80::1%eth0"],
        ["nonsense"],
        ["::ffff:1.1.1.1"],
    ],
)
def test_every_answer_of_a_lookup_must_pass(addresses: list[str]) -> None:
    target = check_url("https://example.com/", POLICY)
    assert [str(one) for one in check_addresses(target, ["1.1.1.1", "2606:4700::1111"], POLICY)] == [
        "1.1.1.1",
        "2606:4700::1111",
    ]
    with pytest.raises(EgressBlocked) as error:
        check_addresses(target, addresses, POLICY)
    assert str(error.value) == "blocked by egress policy"


@pytest.mark.parametrize(
    ("url", "hosts", "networks"),
    [
        ("http://10.1.2.3/", ["10.1.2.3:80"], ["10.1.2.3/32"]),
        ("https://127.0.0.1:9000/", ["127.0.0.1:9000"], ["127.0.0.1/32"]),
        ("http://[fd00::5]:8000/", ["[fd00::5]:8000"], ["fd00::5/128"]),
        ("http://db.corp.internal/", ["db.corp.internal:80"], []),
        ("http://api.example.com:5432/", ["api.example.com:5432"], []),
        ("http://1.1.1.1:5432/", ["1.1.1.1:5432"], []),
    ],
)
def test_a_refusal_names_what_opens_it(url: str, hosts: list[str], networks: list[str]) -> None:
    with pytest.raises(EgressBlocked) as error:
        check_url(url, POLICY)
    remedy = str(error.value.remedy)
    assert re.findall("`(.+?)`", remedy) == hosts + networks
    assert error.value.explanation.endswith(remedy)
    assert check_url(url, build_policy(allow_hosts=hosts, allow_cidrs=networks)).listed


def test_a_refusal_names_only_what_is_missing_and_never_what_a_name_leads_to() -> None:
    listed = build_policy(allow_hosts=["10.1.2.3:80", "db.corp.internal"])
    for violations_in in (
        lambda: check_url("http://10.1.2.3/", listed),
        lambda: check_addresses(check_url("http://db.corp.internal/", listed), ["10.1.2.3"], listed),
    ):
        with pytest.raises(EgressBlocked) as error:
            violations_in()
        assert "EGRESS_ALLOW_HOSTS" not in str(error.value.remedy)
        assert "EGRESS_ALLOW_CIDRS" in str(error.value.remedy)
    assert "10.1.2.3" not in error.value.explanation
    for never in ("169.254.169.254", "metadata.google.internal", "METADATA", "instance-data.ec2.internal"):
        with pytest.raises(EgressBlocked) as error:
            check_url(f"http://{never}/", POLICY)
        assert error.value.remedy is None


def test_a_listed_address_needs_its_host_and_its_network() -> None:
    both = build_policy(allow_hosts=["127.0.0.1:*"], allow_cidrs=["127.0.0.1/32"])
    assert check_url("http://127.0.0.1:9/", both).listed
    for policy in (
        build_policy(allow_hosts=["127.0.0.1:*"]),
        build_policy(allow_cidrs=["127.0.0.0/8"], ports=[9]),
        build_policy(allow_hosts=["127.0.0.2:*"], allow_cidrs=["127.0.0.0/8"], ports=[9]),
        build_policy(allow_hosts=["127.0.0.1:10"], allow_cidrs=["127.0.0.0/8"], ports=[9]),
    ):
        with pytest.raises(EgressBlocked):
            check_url("http://127.0.0.1:9/", policy)


def test_a_listed_name_may_be_internal_and_reach_its_networks_only() -> None:
    policy = build_policy(
        allow_hosts=["erp.corp.internal", "db:5432", "[fd00::5]:*"], allow_cidrs=["10.20.0.0/16", "fd00::/64"]
    )
    target = check_url("https://ERP.corp.internal./", policy)
    assert check_addresses(target, ["10.20.1.5", "1.1.1.1"], policy)
    assert check_url("http://db:5432/", policy).port == 5432
    assert check_url("http://[fd00::5]:7/", policy).port == 7
    for addresses in (["10.21.0.1"], ["10.20.1.5", "127.0.0.1"]):
        with pytest.raises(EgressBlocked):
            check_addresses(target, addresses, policy)
    for url in ("http://db/", "http://erp.corp.internal:5432/", "https://x.corp.internal/", "http://example.com:5432/"):
        with pytest.raises(EgressBlocked):
            check_url(url, policy)
    other = check_url("https://example.com/", policy)
    with pytest.raises(EgressBlocked):
        check_addresses(other, ["10.20.1.5"], policy)


@pytest.mark.parametrize(
    "address", ["169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254", "::ffff:10.0.0.1"]
)
def test_metadata_and_embedded_addresses_stay_closed_even_when_listed(address: str) -> None:
    host = f"[{address}]" if ":" in address else address
    policy = build_policy(allow_hosts=[host, "10.0.0.1", "a.example.com"], allow_cidrs=["0.0.0.0/0", "::/0"])
    assert check_url("http://10.0.0.1/", policy).listed
    with pytest.raises(EgressBlocked):
        check_url(f"http://{host}/", policy)
    with pytest.raises(EgressBlocked):
        check_addresses(check_url("http://a.example.com/", policy), [address], policy)


def test_a_policy_may_open_https_only() -> None:
    policy = build_policy(schemes=["https"])
    assert check_url("https://example.com/", policy).scheme == "https"
    with pytest.raises(EgressBlocked, match="must start with https://"):
        check_url("http://example.com/", policy)


@pytest.mark.parametrize(
    "setting",
    [
        {"allow_hosts": ["http://x/"]},
        {"allow_hosts": ["*.corp"]},
        {"allow_hosts": ["a b"]},
        {"allow_hosts": ["127.1"]},
        {"allow_hosts": ["::1"]},
        {"allow_hosts": ["x:port"]},
        {"allow_cidrs": ["10.0.0.1/8"]},
        {"allow_cidrs": ["x"]},
        {"schemes": ["ftp"]},
    ],
)
def test_a_setting_that_cannot_be_read_stops_the_start_with_a_sentence(setting: dict[str, list[str]]) -> None:
    assert build_policy(allow_hosts=["x.internal", "[::1]:*"], allow_cidrs=["10.0.0.0/8", "::1/128"], schemes=["https"])
    with pytest.raises(ValueError, match=r"\.$"):
        build_policy(**setting)  # type: ignore[arg-type] # the table's values fit each


def test_a_literal_is_judged_without_a_lookup(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError("a lookup")

    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    assert str(check_host("1.1.1.1", 443, POLICY).literal) == "1.1.1.1"
    assert str(check_host("2606:4700::1111", 443, POLICY).literal) == "2606:4700::1111"


PIECES = st.sampled_from(
    [
        "http://",
        "https://",
        "//",
        "/",
        "\\",
        "@",
        ":",
        "::",
        "[",
        "]",
        "%",
        "%2e",
        "#",
        "?",
        ".",
        "..",
        "。",
        "\t",
        " ",
        "0x7f",
        "127",
        "0",
        "1",
        "255",
        "localhost",
        "example",
        "com",
        "internal",
        "xn--",
        "é",
        "ａ",
        "-",
        "_",
        "80",
        "8080",
        "ffff",
        "\x00",
    ]
)


@settings(max_examples=600, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=12))
def test_what_passes_is_read_the_same_by_the_client(pieces: list[str]) -> None:
    try:
        target = check_url("http://" + "".join(pieces), POLICY)
    except EgressBlocked:
        return
    read = httpx.URL(target.url)
    assert read.raw_host.decode() == target.host
    assert (read.scheme, read.port or 80, read.userinfo) == (target.scheme, target.port, b"")
    assert check_url(target.url, POLICY).host == target.host
