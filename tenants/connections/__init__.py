"""Connections of a tenant: language models and HTTP APIs that its steps call, with the tenant's own credentials."""
