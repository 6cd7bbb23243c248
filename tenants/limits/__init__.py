"""Limits of tenants: what an operator sets, what holds, and what refuses a start."""
