"""The second wall between tenants: row-level security, and what shows that it stands."""
