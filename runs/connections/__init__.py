"""Connections at work: credentials on requests, language models and HTTP clients made of a tenant's rows."""
