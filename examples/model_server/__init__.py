"""A stand-in for a language model, on loopback: it speaks the wire formats of OpenAI and Anthropic.

No model is behind it. What it answers is computed by a script, a plain function of what was asked; see `script`.
Tests use it as the other side of the providers, the demo as a labelled replacement of a real model, benchmarks as a
server with a known latency. `python -m examples.model_server --help` runs it as a program.
"""

from examples.model_server.script import Asked, Call, Problem, Reply, Script, echo, example_of
from examples.model_server.server import ModelServer

__all__ = ["Asked", "Call", "ModelServer", "Problem", "Reply", "Script", "echo", "example_of"]
