"""Human tasks for callers of the API: routes, requests, answers."""
