"""Redaction of a connection's secrets in what its other end sends back, however it quotes them."""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from kernel.redaction.quoting import QuotingLevel, begun_escape, is_quoted, levels
from kernel.redaction.spellings import LEGACY, SHORTEST, in_base64, number_of, spellings
from kernel.types import Json

CUT: Final = "[cut]"
LEFT_OUT: Final = "\N{HORIZONTAL ELLIPSIS}"
"""Mark in our sentences where a text goes on."""
_MOST_QUOTED: Final = 8
"""Bytes that one byte of a secret may take in a stream; longer quotings of it are none of the usual ones."""


def hidden_texts(secret: str, username: str = "") -> tuple[str, ...]:
    """Give the texts a secret may come back as, longest first: in every spelling, alone and as in Basic."""
    if len(secret) < SHORTEST:
        return ()
    found = set(spellings(secret))
    for codec in ("utf-8", *LEGACY):
        with suppress(UnicodeEncodeError):
            for shown in in_base64(f"{username}:{secret}".encode(codec)):
                found |= spellings(shown)
    return tuple(sorted((text for text in found if len(text) >= SHORTEST), key=lambda text: (-len(text), text)))


def redact(value: Json, secrets: Collection[str], mark: str = CUT) -> Json:
    """Replace every secret in the texts of a value, names of members included, however it is quoted in them.

    A number that a secret of digits reads as is replaced as well: hosts send those back as numbers.
    The time is linear in the value and in the secrets.

    Args:
        value: What came.
        secrets: As ``hidden_texts`` gives them.
        mark: What stands in their place.
    """
    return _Secrets.of(tuple(secrets)).cut(value, mark) if secrets else value


def redact_beginning(text: str, secrets: Collection[str], mark: str = CUT) -> str:
    """Do what ``redact`` does with a text whose end is not there; what has begun a secret goes as well."""
    hidden = str(redact(text, secrets, mark))
    return hidden[: _Secrets.of(tuple(secrets)).begun_at(hidden, SHORTEST)] if secrets else hidden


def redact_quotes(value: Json, secrets: Collection[str]) -> Json:
    """Do what ``redact`` does with sentences of ours, and values of them, that quote texts, some of them shortened."""
    if isinstance(value, str):
        return LEFT_OUT.join(redact_beginning(part, secrets) for part in value.split(LEFT_OUT))
    if isinstance(value, list):
        return [redact_quotes(item, secrets) for item in value]
    if isinstance(value, dict):
        return {str(redact_quotes(name, secrets)): redact_quotes(item, secrets) for name, item in value.items()}
    return redact(value, secrets)


def begun_at(text: str, secrets: Collection[str]) -> int:
    """Find where a secret may have begun that has not come whole; the end of the text where none has."""
    return _Secrets.of(tuple(secrets)).begun_at(text, 1) if secrets else len(text)


@dataclass(frozen=True)
class _Secrets:
    """Texts to look for: as they are in a text, as bytes in one that was quoted, and as numbers."""

    texts: tuple[str, ...]
    unquoted: tuple[bytes, ...]
    numbers: frozenset[float]

    @staticmethod
    @lru_cache(maxsize=256)
    def of(texts: tuple[str, ...]) -> "_Secrets":
        """Make them ready."""
        unquoted = tuple({content for text in texts for content in _contents(text)})
        return _Secrets(texts, unquoted, frozenset(number for text in texts if (number := number_of(text)) is not None))

    def cut(self, value: Json, mark: str) -> Json:
        """Give a value without them."""
        if isinstance(value, str):
            return self._without(value, mark)
        if isinstance(value, list):
            return [self.cut(item, mark) for item in value]
        if isinstance(value, dict):
            return {self._without(name, mark): self.cut(item, mark) for name, item in value.items()}
        is_secret = self.numbers and isinstance(value, int | float) and abs(value) in self.numbers
        return mark if is_secret else value

    def begun_at(self, text: str, least: int) -> int:
        """Find where one may have begun, of which ``least`` bytes have come; at any level of quoting."""
        tail = _bytes_of(text[-_MOST_QUOTED * max(map(len, self.unquoted)) :])
        places = [self._begun_in(tail, least)]
        passed: list[QuotingLevel] = []
        for level in levels(tail):
            passed.append(level)
            places.append(_outermost(self._begun_in(level.data, least), passed))
        return len(text) - len(_text_of(tail[min(places) :]))

    def _without(self, text: str, mark: str) -> str:
        if not is_quoted(text):
            for one in self.texts:
                text = text.replace(one, mark)
            return text
        data = _bytes_of(text)
        spans = sorted(self._spans(data))
        if not spans:
            return text
        pieces: list[bytes] = []
        behind = 0
        for start, end in spans:
            if start >= behind:
                pieces += (data[behind:start], mark.encode())
            behind = max(behind, end)
        return _text_of(b"".join((*pieces, data[behind:])))

    def _spans(self, data: bytes) -> Iterator[tuple[int, int]]:
        """Find where they stand in a text, at any level of quoting."""
        passed: list[QuotingLevel] = []
        yield from self._found_in(data)
        for level in levels(data):
            passed.append(level)
            for start, end in self._found_in(level.data):
                yield _outermost(start, passed), _outermost(end, passed)

    def _found_in(self, data: bytes) -> Iterator[tuple[int, int]]:
        for content in self.unquoted:
            start = data.find(content)
            while start >= 0:
                yield start, start + len(content)
                start = data.find(content, start + len(content))

    def _begun_in(self, data: bytes, least: int) -> int:
        """Look at the end of a text, and at the end before an escape that has not come whole."""
        whole = begun_escape(data)
        first = whole if least == 1 else len(data)
        firsts = {content[0] for content in self.unquoted}
        longest = max(map(len, self.unquoted))
        for end in {whole, len(data)}:
            for start in range(max(0, end - longest), min(first, end - least + 1)):
                begun = data[start:end]
                if begun[0] in firsts and any(content.startswith(begun) for content in self.unquoted):
                    first = start
                    break
        return first


def _outermost(place: int, passed: Sequence[QuotingLevel]) -> int:
    """Give the place in the text as it came."""
    for level in reversed(passed):
        place = level.outwards(place)
    return place


def _contents(text: str) -> Iterator[bytes]:
    """Write a text as those do that quote its bytes."""
    yield _bytes_of(text)
    if not text.isascii():
        for codec in LEGACY:
            with suppress(UnicodeEncodeError):
                yield text.encode(codec)


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text_of(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:  # cut between the bytes of a letter
        return data.decode("utf-8", "replace")
