"""Logs as they are stored: their files, proofs of entries, and verification."""
