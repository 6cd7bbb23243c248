"""A setting that cannot be meant stops the start with a sentence."""

import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from devserver.folders import CHECKOUT
from llmteam import environment
from tests.support.certificates import Authority
from tests.support.processes.environment import environment_of_python
from tests.support.settings_reading import read_settings


def test_one_of_a_few_words_is_read_and_another_is_refused_with_those(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.choice("LANGUAGE_CODE", "en", of=["en", "ru"]) == "en"
    monkeypatch.setenv("LANGUAGE_CODE", "ru")
    assert environment.choice("LANGUAGE_CODE", "en", of=["en", "ru"]) == "ru"
    monkeypatch.setenv("LANGUAGE_CODE", "fr")
    with pytest.raises(ImproperlyConfigured, match=r"^LANGUAGE_CODE is 'fr'; write one of: en, ru\.$"):
        environment.choice("LANGUAGE_CODE", "en", of=["en", "ru"])


def test_a_file_of_certificates_is_read_and_one_without_any_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert environment.certificates("EGRESS_CA_FILE") == ""
    file = tmp_path / "ca.pem"
    monkeypatch.setenv("EGRESS_CA_FILE", str(file))
    with pytest.raises(ImproperlyConfigured, match=r"^EGRESS_CA_FILE is '.*ca\.pem'; that file cannot be read\.$"):
        environment.certificates("EGRESS_CA_FILE")
    file.write_text("no certificate")
    with pytest.raises(ImproperlyConfigured, match=r"that file holds no certificate in PEM\.$"):
        environment.certificates("EGRESS_CA_FILE")
    file.write_text(Authority("House CA").pem)
    assert environment.certificates("EGRESS_CA_FILE") == str(file)


SECRET = "x1Y2z3" * 6
KEY = f"a:{'A' * 43}="


@pytest.mark.parametrize(
    ("name", "good", "wrong", "sentence"),
    [
        ("EGRESS_ALLOW_CIDRS", "10.20.0.0/16", "ten", "The allowed network 'ten' cannot be read"),
        ("EGRESS_ALLOW_HOSTS", "erp.corp:9000", "http://erp.corp/x", "An allowed host is written as host, host:port"),
        ("WEBSOCKET_ORIGINS", "https://app.example", "app.example", "has the entry 'app.example'"),
        ("ALLOWED_HOSTS", "*,.a.example,10.1.2.3,[::1]", "a.example:8000", "has the entry 'a.example:8000'; write"),
        ("ALLOWED_HOSTS", "xn--80ak6aa92e.example", "https://a.example", "has the entry 'https://a.example'; write"),
        ("PUBLIC_URL", "https://a.example:8443/flows/", "a.example", "is 'a.example'; write https://app.example."),
        ("PUBLIC_URL", "http://10.1.2.3", "https://a.example/?x=1", "is 'https://a.example/?x=1'; write"),
        ("DEFAULT_FROM_EMAIL", "Flows <flows@a.example>", "Flows", "is 'Flows'; write person@host"),
        ("EMAIL_HOST_USER", "", "flows", "EMAIL_HOST_PASSWORD and EMAIL_HOST go together"),
        ("METRICS_TOKEN", "t0k-en", " ", "has blanks or signs that no header holds"),
        ("METRICS_TOKEN", "t0k~en", "schlüssel", "has blanks or signs that no header holds"),
        ("SECRET_KEYS", KEY, f"{KEY},{KEY}", "has the id 'a' twice"),
        ("REDIS_URL", "redis://:p%23@r.example:6380/3", "http://r.example", "must look like redis://"),
        ("REDIS_URL", "redis://r.example", "redis://r.example:abc/0", "must look like redis://"),
        ("REDIS_URL", "redis://r.example/", "redis://r.example/first", "must look like redis://"),
        ("REDIS_URL", "redis://r.example", "redis:///0", "must look like redis://"),
        ("REDIS_URL", "redis://r.example", "redis://r.example/0?db=3", "has the option 'db', which is not supported"),
        (
            "REDIS_URL",
            "rediss://r/0?ssl_cert_reqs=none",
            "rediss://r/0?ssl_cert_reqs=no",
            "has ssl_cert_reqs=no; write",
        ),
        ("HTTP_CLIENTS", "shop=https://shop.example/v1", "shop=shop.example", "has 'shop.example' for 'shop'; write"),
        ("HTTP_CLIENTS", "a=http://a,b=http://b", "a=http://a,a=http://b", "has the name 'a' twice"),
        ("EXTRA_APPS", "tests.support", "no_such.apps.App", "names 'no_such.apps.App', and no package 'no_such'"),
        ("EXTRA_STEP_MIDDLEWARE", "tests.support.x", "no_such.x", "names 'no_such.x', and no package 'no_such'"),
        ("RUNTIME_SETUP", "tests.support.x", "no_such.x", "names 'no_such.x', and no package 'no_such'"),
        ("OIDC_SCOPES", "email openid", "email profile", "must have openid among them"),
        (
            "WORKER_METRICS_ADDRESS",
            "[::1]:9100",
            "http://localhost:9100",
            "is 'http://localhost:9100'; write host:port",
        ),
        ("WORKER_METRICS_ADDRESS", "0.0.0.0:9100", "localhost:٩١٠٠", "is 'localhost:٩١٠٠'; write host:port"),
        ("COMPUTE_PROCESSES", "2", "٢", "is '٢'; write a number"),
    ],
)
def test_a_value_that_cannot_be_honoured_stops_the_start(name: str, good: str, wrong: str, sentence: str) -> None:
    read(**{name: good})
    with pytest.raises(ImproperlyConfigured) as refused:
        read(**{name: wrong})
    assert name in str(refused.value)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ("short", "can be guessed: it has 5 characters, 5 different ones"),
        ("ab" * 30, "can be guessed: it has 60 characters, 2 different ones"),
        (" " * 60, "can be guessed: it has 60 characters, 1 different ones"),
        ("development-only-" * 4, "is one that everybody knows"),
        ("django-insecure-8#x" + SECRET, "is one that everybody knows"),
        ("50 random characters: openssl rand -base64 48", "is one that everybody knows"),
    ],
)
def test_a_secret_that_can_be_guessed_serves_development_only(wrong: str, sentence: str) -> None:
    production = {"LLMTEAM_DEVELOPMENT": "0", "SECRET_KEYS": KEY, "AUDIT_SIGNING_KEY": KEY[2:]}
    read(SECRET_KEY=SECRET, **production)
    assert read(SECRET_KEY=wrong)["SECRET_KEY"] == wrong, "development takes any"
    with pytest.raises(ImproperlyConfigured, match=f"^SECRET_KEY {sentence}"):
        read(SECRET_KEY=wrong, **production)


@pytest.mark.parametrize("secret", [("REDIS_URL", "http://:canary@r"), ("METRICS_TOKEN", "canary in blanks")])
def test_the_sentence_does_not_repeat_a_secret(secret: tuple[str, str]) -> None:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(**dict([secret]))
    assert "canary" not in "".join(traceback.format_exception(refused.value))


def read(**variables: str) -> dict[str, Any]:
    """Read the settings; which of our processes stop, and with what, is shown below."""
    return read_settings(**({"LLMTEAM_DEVELOPMENT": "1", "SECRET_KEY": SECRET} | variables))


@pytest.mark.parametrize(
    "argv",
    [
        ("-m", "llmteam.web", "--port", "1"),
        ("-m", "celery", "-A", "llmteam", "worker", "--pool", "threads"),
        ("-m", "celery", "-A", "llmteam", "beat"),
        ("manage.py", "migrate"),
    ],
    ids=["web", "worker", "beat", "manage"],
)
def test_a_process_says_the_sentence_and_nothing_else(argv: tuple[str, ...]) -> None:
    variables = environment_of_python(LOG_LEVEL="LOUD")
    done = subprocess.run(
        [sys.executable, *argv], env=variables, cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stdout + done.stderr == "LOG_LEVEL is 'LOUD'; write one of: DEBUG, INFO, WARNING, ERROR.\n"
