"""The stand-in for a model runs as a program, as the how-to says."""

import subprocess
import sys

import httpx

from devserver.folders import CHECKOUT


def test_it_says_where_it_is_and_answers_in_both_formats() -> None:
    command = [sys.executable, "-m", "examples.model_server", "--port", "0", "--key", "k-1"]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True) as program:
        try:
            assert program.stdout is not None
            line = program.stdout.readline()
            url = line.split()[-1]
            asked = {"model": "any", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
            openai = httpx.post(f"{url}/v1/chat/completions", json=asked, headers={"authorization": "Bearer k-1"})
            anthropic = httpx.post(
                f"{url}/v1/messages", json=asked, headers={"x-api-key": "k-1", "anthropic-version": "2023-06-01"}
            )
            refused = httpx.post(f"{url}/v1/chat/completions", json=asked)
        finally:
            program.terminate()

    assert line.startswith("A stand-in for a language model is at http://127.0.0.1:")
    assert openai.json()["choices"][0]["message"]["content"] == "You asked: Hi"
    assert anthropic.json()["content"] == [{"type": "text", "text": "You asked: Hi"}]
    assert refused.status_code == 401
