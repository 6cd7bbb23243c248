"""Runs in the life of their tenants: paused with it, resumed with it, kept for as long as it says."""
