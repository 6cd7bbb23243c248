"""The web process's outer shell: its server, its bounds on strangers, its probes."""
