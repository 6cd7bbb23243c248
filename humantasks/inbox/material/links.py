"""Links in texts of others: only http(s), their target always seen, opened apart and without a word of where from."""

import re
from html import escape
from typing import Final

REL: Final = "noopener noreferrer nofollow"
MAX_ADDRESS: Final = 2_000
ADDRESS: Final = re.compile(
    r"https?://[^\s<>\"'`\x00-\x1f\u200b-\u200f\u202a-\u202e\u2066-\u2069]{1,2000}", re.IGNORECASE
)
_AFTER: Final = ".,;:!?…"
_PAIRS: Final = {")": "(", "]": "[", "}": "{"}


def linked(text: str) -> str:
    """Write a text as HTML in which its http(s) addresses are links; nothing else of it is markup."""
    parts: list[str] = []
    done = 0
    for found in ADDRESS.finditer(text):
        address = _without_end(found[0])
        if len(address) <= len("https://"):
            continue
        parts += [escape(text[done : found.start()]), link(address, escape(address))]
        done = found.start() + len(address)
    return "".join([*parts, escape(text[done:])])


def link(address: str, inner: str) -> str:
    """Write a link around HTML."""
    return f'<a href="{escape(address)}" rel="{REL}" target="_blank">{inner}</a>'


def is_web_address(address: str) -> bool:
    """Whether a browser that opens it asks a web server, and nothing else."""
    return len(address) <= MAX_ADDRESS and ADDRESS.fullmatch(address) is not None


def _without_end(address: str) -> str:
    """Leave what ends the sentence, not the address, to the sentence: a full stop, a bracket opened before it."""
    while address:
        last = address[-1]
        opening = _PAIRS.get(last)
        if last not in _AFTER and (opening is None or address.count(last) <= address.count(opening)):
            break
        address = address[:-1]
    return address
