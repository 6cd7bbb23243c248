"""Segments: their contract, their catalog, their revisions."""
