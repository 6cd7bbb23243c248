"""Functions that digest texts and write them in other alphabets: hashes, base64, hex, URLs."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from typing import Final, cast
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

from kernel.types import Json
from segments.expressions.errors import ExpressionFailed
from segments.expressions.limits import Fuel
from segments.expressions.values import MISSING, MadeList, MadeObject, kind_of, need, text_of


def _digest(name: str, digest: Callable[[bytes], bytes]) -> Callable[..., Json]:
    """Make a function that digests a text, as hexadecimal digits or base64."""

    def function(fuel: Fuel, text: Json, /, *, encoding: Json = "hex") -> Json:
        return _encoded(digest(_bytes(fuel, text, name)), encoding)

    return function


def hmac_sha256(fuel: Fuel, text: Json, key: Json, /, *, encoding: Json = "hex") -> Json:
    """Sign a text with a key."""
    key_bytes = _bytes(fuel, key, "hmac_sha256")
    return _encoded(hmac.digest(key_bytes, _bytes(fuel, text, "hmac_sha256"), "sha256"), encoding)


def to_base64(fuel: Fuel, text: Json, /) -> Json:
    """Write a text, as UTF-8, in base64."""
    return base64.b64encode(_bytes(fuel, text, "base64")).decode()


def from_base64(fuel: Fuel, text: Json, default: Json = MISSING, /) -> Json:
    """Read a text in base64, also of the alphabet for URLs and without padding."""
    source = _bytes(fuel, text, "base64_decode").translate(_OF_URLS, b" \r\n\t=")
    return _text(lambda: base64.b64decode(source + b"=" * (-len(source) % 4), validate=True), default, "base64")


def to_hex(fuel: Fuel, text: Json, /) -> Json:
    """Write a text, as UTF-8, in hexadecimal digits."""
    return _bytes(fuel, text, "hex").hex()


def from_hex(fuel: Fuel, text: Json, default: Json = MISSING, /) -> Json:
    """Read a text in hexadecimal digits."""
    source = _bytes(fuel, text, "hex_decode")
    return _text(lambda: binascii.unhexlify(source), default, "in hexadecimal digits")


def url_encode(fuel: Fuel, value: Json, /) -> Json:
    """Write a text as it may stand anywhere in a URL; an object as its query, with a list's values one by one."""
    if kind_of(value) != "object":
        return _quoted(fuel, value)
    pairs: list[str] = []
    for key, one in cast("dict[str, Json]", value).items():
        for single in one if isinstance(one, list) else [one]:
            pairs.append(f"{_quoted(fuel, key)}={_quoted(fuel, single)}")
            fuel.grow_list(len(pairs))
            fuel.spend(4)
    return "&".join(pairs)


def url_decode(fuel: Fuel, text: Json, default: Json = MISSING, /) -> Json:
    """Read what stands in a URL, `%20` and `+` as blanks, escapes as UTF-8; what is no escape stays as it is."""
    source = cast("str", need("text", text, "`urldecode`"))
    fuel.make_text(len(source))
    fuel.spend_on_text(len(source) // 4)
    try:
        return unquote_plus(source, errors="strict")
    except UnicodeDecodeError:
        if default is MISSING:
            hint = "give a default: `urldecode(text, null)`"
            raise ExpressionFailed("The escapes in the text are not UTF-8.", hint=hint) from None
        return default


def parse_url(fuel: Fuel, text: Json, /) -> Json:
    """Take a URL apart: `scheme`, `host`, `port`, `path`, `query` (an object, lists for repeated keys), `fragment`."""
    source = cast("str", need("text", text, "`parse_url`"))
    fuel.make_text(len(source))
    fuel.spend_on_text(20 + len(source) // 2)
    try:
        parts = urlsplit(source.strip())
        host, port = parts.hostname, parts.port
        pairs = parse_qsl(parts.query, keep_blank_values=True, max_num_fields=1_000, errors="strict")
    except UnicodeDecodeError:
        raise ExpressionFailed("The escapes in the query of the URL are not UTF-8.") from None
    except ValueError:
        raise ExpressionFailed("The text is not a URL.") from None
    found: dict[str, Json] = {"scheme": parts.scheme or None, "host": host, "port": port, "path": parts.path}
    return MadeObject({**found, "query": _by_name(fuel, pairs), "fragment": parts.fragment or None})


def _by_name(fuel: Fuel, pairs: list[tuple[str, str]]) -> MadeObject:
    made = MadeObject()
    for name, value in pairs:
        fuel.spend(2)
        earlier = made.get(name)
        if isinstance(earlier, list):
            earlier.append(value)
        else:
            made[name] = value if earlier is None else MadeList([earlier, value])
    return made


def _quoted(fuel: Fuel, value: Json) -> str:
    text = text_of(fuel, value)
    fuel.make_text(3 * len(text))
    fuel.spend_on_text(len(text) // 4)
    return quote(text, safe="", errors="replace")


def _bytes(fuel: Fuel, text: Json, owner: str) -> bytes:
    source = cast("str", need("text", text, f"`{owner}`"))
    fuel.make_text(2 * len(source))
    try:
        return source.encode()
    except UnicodeEncodeError:
        raise ExpressionFailed("The text holds half a character (a lone surrogate).") from None


def _text(decode: Callable[[], bytes], default: Json, what: str) -> Json:
    try:
        return decode().decode()
    except ValueError:
        if default is MISSING:
            raise ExpressionFailed(f"The text is not a text {what}.") from None
        return default


def _encoded(digest: bytes, encoding: Json) -> str:
    if encoding == "hex":
        return digest.hex()
    if encoding == "base64":
        return base64.b64encode(digest).decode()
    raise ExpressionFailed("The encoding of a digest is `hex` or `base64`.")


_OF_URLS: Final = bytes.maketrans(b"-_", b"+/")
CODES: Final[dict[str, Callable[..., Json]]] = {
    "sha256": _digest("sha256", lambda data: hashlib.sha256(data).digest()),
    "md5": _digest("md5", lambda data: hashlib.md5(data, usedforsecurity=False).digest()),
    "hmac_sha256": hmac_sha256,
    "base64": to_base64,
    "base64_decode": from_base64,
    "hex": to_hex,
    "hex_decode": from_hex,
    "urlencode": url_encode,
    "urldecode": url_decode,
    "parse_url": parse_url,
}
