"""A setting that cannot be meant stops the start with a sentence."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from llmteam import environment


def test_one_of_a_few_words_is_read_and_another_is_refused_with_those(monkeypatch: pytest.MonkeyPatch) -> None:
    assert environment.choice("LANGUAGE_CODE", "en", of=["en", "ru"]) == "en"
    monkeypatch.setenv("LANGUAGE_CODE", "ru")
    assert environment.choice("LANGUAGE_CODE", "en", of=["en", "ru"]) == "ru"
    monkeypatch.setenv("LANGUAGE_CODE", "fr")
    with pytest.raises(ImproperlyConfigured, match=r"^LANGUAGE_CODE is 'fr'; write one of: en, ru\.$"):
        environment.choice("LANGUAGE_CODE", "en", of=["en", "ru"])
