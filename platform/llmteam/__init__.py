"""The wiring: settings, URLs, servers. Imports every app; imported by none."""
