"""WHAT RUNS: runs, their rules and their engine."""
