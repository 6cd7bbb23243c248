"""The secrets with which callbacks are signed, and what operators do to them."""
