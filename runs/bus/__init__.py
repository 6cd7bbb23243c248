"""Redis between processes: the doorbell, notices and pieces for readers, counts all share. It only wakes."""
