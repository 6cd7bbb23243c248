"""Formats of dates and times in Russian."""
