"""The links of the chain around each attempt, a file each; ``runs.engine.middleware`` has the order."""
