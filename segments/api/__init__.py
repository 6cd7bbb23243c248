"""The catalog and segments for callers of the API: routes, requests, answers."""
