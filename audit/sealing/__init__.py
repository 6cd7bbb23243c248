"""The sealer: appends entries to their logs, and signs what the logs are then."""
