"""Runs: their rules, their engine, and everything that follows them."""
