"""Reasoning of models, separated from the answer where both come as one text."""

from typing import Final

from runs.providers.decoding import joined, unfinished

MAX_BLOCKS: Final = 8
"""Most times a model may begin to think before it answers; whatever comes then is the answer."""
MAX_BLANKS: Final = 1_000
"""Characters that are held back to see whether an answer begins with reasoning."""
_TAGS: Final = (
    ("<think>", "</think>"),
    ("<THINK>", "</THINK>"),
    ("<thought>", "</thought>"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"),
    ("<seed:think>", "</seed:think>"),
    ("[THINK]", "[/THINK]"),
    ("◁think▷", "◁/think▷"),
    ("<|channel|>analysis<|message|>", "<|channel|>final<|message|>"),
)
"""Marks that models put around it by themselves. Tags a prompt may ask for, as <thinking>, are the answer's."""


_STRUCK: Final = "</s>"
_END_MARKS: Final = (
    _STRUCK,
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|return|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<|END_OF_TURN_TOKEN|>",
    "<end_of_turn>",
    "<\uff5cend\u2581of\u2581sentence\uff5c>",
)
"""With which templates end a turn; a server that does not know them leaves them in the text."""


def without_reasoning(text: str) -> tuple[str, str]:
    """Split a text into the answer and the reasoning before it.

    Reasoning that does not end is all there is. Templates that begin it in the prompt leave its end only.
    """
    thoughts: list[str] = []
    answer = text
    while len(thoughts) < MAX_BLOCKS and (closer := _closer_at(answer.lstrip())) is not None:
        opener = next(opener for opener, end in _TAGS if end == closer)
        thought, _, answer = answer.lstrip().removeprefix(opener).partition(closer)
        thoughts.append(thought)
        answer = answer.lstrip()
    for opener, closer in _TAGS:
        before, found, rest = answer.partition(closer)
        if found and opener not in before and not thoughts:
            thoughts.append(before)
            answer = rest.lstrip()
    return answer, "\n".join(thought.strip() for thought in thoughts)


def without_end_marks(text: str) -> str:
    """Take off the marks of its end that a server has left behind an answer."""
    bare = text.rstrip()
    while (mark := next((one for one in _END_MARKS if bare.endswith(one)), None)) and not _is_html(bare, mark):
        bare = text = bare.removesuffix(mark).rstrip()
    return text


def _is_html(text: str, mark: str) -> bool:
    return mark == _STRUCK and "<s>" in text


def _closer_at(text: str) -> str | None:
    return next((closer for opener, closer in _TAGS if text.startswith(opener)), None)


class VisibleText:
    """Text of an answer while it arrives: without reasoning at its beginning, without halves of characters."""

    def __init__(self) -> None:
        self._held = ""
        self._closer: str | None = None
        self._has_begun = False
        self._blocks = 0

    def add(self, piece: str) -> str:
        """Take the next piece; returns what can be heard now."""
        self._held += piece
        if not self._has_begun and not self._begins():
            return ""
        ends = len(self._held) - unfinished(self._held)
        heard, self._held = self._held[:ends], self._held[ends:]
        return joined((heard,))

    def rest(self) -> str:
        """Give what was held back to the end."""
        held = "" if self._closer is not None else self._held
        self._held = ""
        return joined((held,))

    def _begins(self) -> bool:
        """Look whether the answer has begun; what is no part of it is dropped."""
        while True:
            if self._closer is not None:
                _, found, rest = self._held.partition(self._closer)
                if not found:
                    self._held = self._held[1 - len(self._closer) :]
                    return False
                self._held, self._closer = rest.lstrip(), None
            text = self._held.lstrip()
            self._closer = _closer_at(text) if self._blocks < MAX_BLOCKS else None
            if self._closer is None:
                is_open = not text or any(opener.startswith(text) for opener, _ in _TAGS)
                self._has_begun = not is_open or len(self._held) > MAX_BLANKS
                self._held = text if self._has_begun and self._blocks else self._held
                return self._has_begun
            self._held = text
            self._blocks += 1
