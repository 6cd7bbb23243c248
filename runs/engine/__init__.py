"""The shell of the engine: hosts own runs, execute what the core decides, and journal what happened."""
