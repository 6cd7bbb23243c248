"""`python -m devserver.sign_in`: the provider as a program; refused where ``LLMTEAM_DEVELOPMENT`` is not set."""

import argparse
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

from devserver import processes
from devserver.sign_in.people import read_people
from devserver.sign_in.provider import DevelopmentProvider
from devserver.sign_in.server import DevelopmentSignInServer

NOT_HERE = "This sign-in asks for no password, so it exists only where LLMTEAM_DEVELOPMENT=1."


def main() -> int:
    """Serve until ended; a refusal is a sentence on standard error and exit code 1."""
    parser = argparse.ArgumentParser(prog="python -m devserver.sign_in", description="A sign-in for development.")
    parser.add_argument("--people", type=Path, required=True, help="the file that manage.py demo_tenants writes")
    parser.add_argument("--api-port", type=int, required=True, help="where the platform listens on this machine")
    chosen = parser.parse_args()
    if os.environ.get("LLMTEAM_DEVELOPMENT", "").lower() not in {"1", "true", "yes", "on"}:
        print(NOT_HERE, file=sys.stderr)
        return 1
    issuer = os.environ["OIDC_ISSUER"]
    if urlsplit(issuer).hostname != processes.LOOPBACK:
        print(f"OIDC_ISSUER is {issuer!r}; this sign-in listens at {processes.LOOPBACK} only.", file=sys.stderr)
        return 1
    provider = DevelopmentProvider(
        issuer=issuer,
        client_id=os.environ["OIDC_CLIENT_ID"],
        client_secret=os.environ["OIDC_CLIENT_SECRET"],
        api_port=chosen.api_port,
        people=lambda: read_people(chosen.people),
    )
    with DevelopmentSignInServer(provider) as server:
        server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
