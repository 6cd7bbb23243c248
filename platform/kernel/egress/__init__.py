"""The one door out: every outbound HTTP request of the platform is judged and bounded here.

Start at `client.open_client`. `policy` decides (pure), `backend` resolves once and connects only to
addresses that were judged, `transport` bounds the body, `client` follows redirects and keeps time.
"""

from kernel.egress.client import EgressClient, SyncEgressClient, open_client, open_sync_client
from kernel.egress.cookies import COOKIES, Cookie, CookieStore, merge_cookies
from kernel.egress.errors import (
    OF_TRUST,
    BodyTooLarge,
    BodyUnreadable,
    ConnectionFailed,
    DeadlineExceeded,
    EgressBlocked,
    HeaderRefused,
    TooManyRedirects,
)
from kernel.egress.headers import check_headers
from kernel.egress.policy import Policy, Target, build_policy, check_url
from kernel.egress.redirects import ANSWERS, REDIRECTS, Redirect
from kernel.egress.responses.framing import IS_CUT
from kernel.egress.transport import IS_UNPACKED
from kernel.egress.trust import TLS, build_ssl_context

__all__ = [
    "ANSWERS",
    "COOKIES",
    "IS_CUT",
    "IS_UNPACKED",
    "OF_TRUST",
    "REDIRECTS",
    "TLS",
    "BodyTooLarge",
    "BodyUnreadable",
    "ConnectionFailed",
    "Cookie",
    "CookieStore",
    "DeadlineExceeded",
    "EgressBlocked",
    "EgressClient",
    "HeaderRefused",
    "Policy",
    "Redirect",
    "SyncEgressClient",
    "Target",
    "TooManyRedirects",
    "build_policy",
    "build_ssl_context",
    "check_headers",
    "check_url",
    "merge_cookies",
    "open_client",
    "open_sync_client",
]
