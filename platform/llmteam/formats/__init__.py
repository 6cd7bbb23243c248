"""Formats of dates and times for people."""
