"""What the runs of one worker may hold in memory."""
