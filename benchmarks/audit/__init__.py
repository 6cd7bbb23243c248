"""Measurements of the audit."""
