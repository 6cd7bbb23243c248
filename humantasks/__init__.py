"""Human tasks: work that waits for a person. Registers the human_task step type."""
