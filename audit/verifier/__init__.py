"""The verifier of logs. It imports nothing else of ours: ``standalone`` joins it into one file."""
