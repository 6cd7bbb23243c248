"""Secrets cut out of what comes from elsewhere: in every spelling, however they are quoted."""

from kernel.redaction.cutting import CUT, begun_at, hidden_texts, redact, redact_beginning, redact_quotes
from kernel.redaction.spellings import spellings

__all__ = [
    "CUT",
    "begun_at",
    "hidden_texts",
    "redact",
    "redact_beginning",
    "redact_quotes",
    "spellings",
]
