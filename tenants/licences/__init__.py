"""Licences and trials: what a tenant was sold or lent, until when, and who signed for it."""
