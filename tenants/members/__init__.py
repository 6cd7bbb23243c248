"""The people of a tenant: who belongs to it, in which role, and who is invited."""
