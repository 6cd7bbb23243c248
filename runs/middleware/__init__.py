"""The links of the chain around each attempt, a file each; ``runs.engine.run.middleware`` has the order."""
