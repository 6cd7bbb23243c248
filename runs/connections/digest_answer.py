"""The answer to a digest challenge (RFC 7616, 3.4)."""

import hashlib
import re
import secrets
from collections.abc import Mapping
from typing import Final

HASHES: Final = {"MD5": "md5", "SHA": "sha1", "SHA-256": "sha256", "SHA-512-256": "sha512_256", "SHA-512": "sha512"}
"""Hashes by the names of algorithms, which may end in ``-sess``."""
OF_SESSIONS: Final = "-SESS"
DEFAULT: Final = "MD5"

_ESCAPED: Final = re.compile(r'\\(["\\])')
_TO_ESCAPE: Final = re.compile(r'(["\\])')


def digest_answer(
    challenge: Mapping[str, str], *, method: str, target: str, username: str, password: str, count: int
) -> str:
    """Write the header that answers a challenge.

    What the host named goes back as the host spelled it; in the hash it stands without the backslashes that escape a
    quote or a backslash. Any other backslash is one, as hosts write them that escape nothing.

    Args:
        challenge: Its members by names in lower case, each as it stood between quotes.
        method: Of the request.
        target: Path and query, as they are sent.
        username: Whose.
        password: Their secret.
        count: How many requests have been answered by this challenge, this one included.
    """
    algorithm = challenge.get("algorithm") or DEFAULT
    hash_name = HASHES[algorithm.upper().removesuffix(OF_SESSIONS)]

    def hashed(*parts: str) -> str:
        return hashlib.new(hash_name, ":".join(parts).encode(), usedforsecurity=False).hexdigest()

    realm, nonce = (_ESCAPED.sub(r"\1", challenge.get(name, "")) for name in ("realm", "nonce"))
    times, cnonce = f"{count:08x}", secrets.token_hex(8)
    of_user = hashed(username, realm, password)
    if algorithm.upper().endswith(OF_SESSIONS):
        of_user = hashed(of_user, nonce, cnonce)
    between = (times, cnonce, "auth") if challenge.get("qop") else ()
    quoted = {
        "username": _TO_ESCAPE.sub(r"\\\1", username),
        "realm": challenge.get("realm", ""),
        "nonce": challenge["nonce"],
        "uri": target,
        "response": hashed(of_user, nonce, *between, hashed(method, target)),
    }
    if challenge.get("opaque"):
        quoted["opaque"] = challenge["opaque"]
    bare = {"algorithm": algorithm}
    if between:
        quoted["cnonce"] = cnonce
        bare |= {"qop": "auth", "nc": times}
    written = [f'{name}="{text}"' for name, text in quoted.items()] + [f"{name}={text}" for name, text in bare.items()]
    return f"Digest {', '.join(written)}"
