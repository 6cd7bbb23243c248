"""A program that tells what it was given, and ends with 3."""

import json
import os
import signal
import sys
import threading

from django.conf import settings

if __name__ == "__main__":
    told = {
        "name": __name__,
        "file": sys.argv[0],
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),  # noqa: PTH109 - told as it is
        "path": sys.path,
        "signals": [str(signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD)],
        "has settings": settings.configured or "llmteam.settings" in sys.modules,
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - names are enough
        "input": sys.stdin.read(),
    }
    print(json.dumps(told))
    sys.exit(3)
