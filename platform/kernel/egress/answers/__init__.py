"""Answers while they come: heads, where bodies end, pieces, codings."""
