"""The audit: who did what to which object."""
