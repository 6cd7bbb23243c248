"""What runs record, and how it is committed: one writer a host, one transaction at a time, tenants in turn."""
