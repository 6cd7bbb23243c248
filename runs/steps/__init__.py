"""One file a step type: its config, its card, its handler."""
