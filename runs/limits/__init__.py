"""Limits of tenants where runs meet them: what is used, and what refuses a start."""
