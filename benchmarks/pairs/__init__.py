"""Comparison of two checkouts on one machine, in turns."""
