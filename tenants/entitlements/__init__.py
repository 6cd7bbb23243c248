"""Entitlements: the limits and features of each tier, and what holds for a tenant. Pure."""
