"""Memory budget of the runs of one worker."""
