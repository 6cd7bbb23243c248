"""Tenants for callers of the API: the tenant itself, its keys, tokens, origins and signing secrets."""
