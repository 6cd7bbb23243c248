"""Signed webhooks: what is due is claimed and sent, one after the other to each address."""
