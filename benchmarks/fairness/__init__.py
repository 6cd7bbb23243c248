"""Tenants beside each other: how soon each gets room, and how much."""
