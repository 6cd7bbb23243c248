"""Callers that follow runs: what their streams and waits cost a web process."""
