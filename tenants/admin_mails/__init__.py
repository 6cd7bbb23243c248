"""Mails to the admins of a tenant about what they must know: written with the fact, sent behind it."""
