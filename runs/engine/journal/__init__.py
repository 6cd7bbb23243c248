"""Journals and their group commit: one writer a host, one transaction at a time, tenants in turn."""
