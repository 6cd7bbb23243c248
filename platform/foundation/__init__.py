"""The Django half of the base: what every app builds on; it has no rows of its own."""
