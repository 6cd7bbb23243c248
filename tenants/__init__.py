"""WHO: tenants, people, keys."""
