"""Letter writers: a real model where the environment names one, else a stand-in that says so."""

import json
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from examples.model_server import Asked, ModelServer, Reply

REF = "letters"
MODEL = "gpt-4o-mini"
LATENCY_SECONDS = 0.05
_NUMBER = re.compile(r"^Invoice: (.+)$", re.MULTILINE)
_CENTS = re.compile(r"^Refund in cents: ([0-9]+)$", re.MULTILINE)
_ARTICLES = re.compile(r"^Articles: (\[.*\])$", re.MULTILINE)


@dataclass(frozen=True)
class Writer:
    """A language model, as the platform's connection names it.

    Attributes:
        base_url: Where it is, in the OpenAI format.
        key: Its key.
        model: Its name.
        is_real: Whether there is a model behind it.
    """

    base_url: str
    key: str = field(repr=False)
    model: str
    is_real: bool

    @property
    def title(self) -> str:
        """The demo's sentence about it."""
        if self.is_real:
            return f"letters are written by the model {self.model} at {urlsplit(self.base_url).netloc}"
        return "letters are written by a stand-in on this machine: no model is behind it, prices are a list's"

    @property
    def connection(self) -> dict[str, Any]:
        """The body of ``PUT /connections/letters``."""
        return {
            "kind": "llm",
            "provider": "openai",
            "base_url": self.base_url,
            "model": self.model,
            "secret": self.key,
            "timeout_seconds": 60,
        }


@contextmanager
def writer() -> Iterator[Writer]:
    """Find who writes: ``DEMO_LLM_BASE_URL`` and ``DEMO_LLM_KEY`` (``DEMO_LLM_MODEL``) name a real model."""
    base_url = os.environ.get("DEMO_LLM_BASE_URL", "")
    if base_url:
        model = os.environ.get("DEMO_LLM_MODEL") or MODEL
        yield Writer(base_url, os.environ.get("DEMO_LLM_KEY", ""), model, is_real=True)
        return
    key = f"stand-in-{secrets.token_hex(8)}"
    with ModelServer(write_letter, key=key, latency_seconds=LATENCY_SECONDS) as server:
        yield Writer(f"{server.url}/v1", key, MODEL, is_real=False)


def write_letter(asked: Asked) -> Reply:
    """Compute the letter from the prompt, as a model asked for this JSON would."""
    number, cents, articles = (pattern.search(asked.prompt) for pattern in (_NUMBER, _CENTS, _ARTICLES))
    if not number or not cents or not articles:
        return Reply("The prompt names no invoice.")
    names = json.loads(articles[1])
    what = f"{len(names)} article{'s' if len(names) != 1 else ''}"
    reply = (
        f"Dear customer, we have received your cancellation {number[1]} of {what} ({', '.join(names[:3])}) "
        f"over {int(cents[1]) / 100:.2f}. We will be in touch."
    )
    return Reply(json.dumps({"reason": f"{what} came back, worth {int(cents[1]) / 100:.2f}", "reply": reply}))
