"""A setting that cannot be meant stops the start with a sentence."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from devserver.folders import CHECKOUT
from llmteam import environment
from tests.support.certificates import Authority
from tests.support.processes.environment import environment_of_python


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


@pytest.mark.parametrize(
    ("name", "good", "wrong", "sentence"),
    [
        ("EGRESS_ALLOW_CIDRS", "10.20.0.0/16", "ten", "The allowed network 'ten' cannot be read"),
        ("EGRESS_ALLOW_HOSTS", "erp.corp:9000", "http://erp.corp/x", "An allowed host is written as host, host:port"),
        (
            "WEBSOCKET_ORIGINS",
            "https://app.example",
            "app.example",
            "WEBSOCKET_ORIGINS has the entry 'app.example'",
        ),
    ],
)
def test_an_entry_that_cannot_be_honoured_stops_the_start(name: str, good: str, wrong: str, sentence: str) -> None:
    def start(value: str) -> subprocess.CompletedProcess[str]:
        variables = {**os.environ, "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}", name: value}
        code = [sys.executable, "-c", "from llmteam import settings"]
        return subprocess.run(code, env=variables, capture_output=True, text=True, check=False)

    assert start(good).returncode == 0
    stopped = start(wrong)
    assert stopped.returncode != 0
    assert name in stopped.stderr
    assert sentence in stopped.stderr


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
