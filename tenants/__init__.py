"""Tenants: people, memberships, keys, connections."""
