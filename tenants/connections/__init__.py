"""Where a tenant's steps may call: language models and HTTP APIs, with the tenant's own credentials."""
