"""Middleware around each attempt, one module each; ``runs.engine.middleware`` has the order."""
