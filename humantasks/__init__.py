"""WHAT WAITS FOR A PERSON: announces the human_task step type."""
