"""Runs that wait for a call: their links, what a call does, the page behind a link."""
