"""Tenants for operators: the pages of the console."""
