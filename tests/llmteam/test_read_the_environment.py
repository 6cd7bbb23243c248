"""A setting that cannot be meant stops the start with a sentence."""

from pathlib import Path

import pytest
from django.core.exceptions import ImproperlyConfigured

from llmteam import environment
from tests.support.certificates import Authority


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
