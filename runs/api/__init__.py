"""Runs for callers of the API: routes, requests, answers, and who waits for an end."""
