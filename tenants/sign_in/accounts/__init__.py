"""Accounts that members sign in with: listed, linked, unlinked."""
