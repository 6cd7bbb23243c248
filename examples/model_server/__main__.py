"""Run the stand-in as a program: `python -m examples.model_server --port 8111 --latency 1`."""

import argparse
import asyncio
from contextlib import suppress

from examples.model_server.server import ModelServer


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="A stand-in for a language model; no model is behind it.")
    parser.add_argument("--port", type=int, default=8111, help="0 takes a free one")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--key", help="the one key it takes; without it, any")
    chosen = parser.parse_args()
    server = ModelServer(key=chosen.key, latency_seconds=chosen.latency, port=chosen.port)
    with suppress(KeyboardInterrupt):
        asyncio.run(server.serve(lambda: print(f"A stand-in for a language model is at {server.url}", flush=True)))


if __name__ == "__main__":
    main()
