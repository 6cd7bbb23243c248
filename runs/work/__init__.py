"""Pure work of steps: done at once while it is small, in the compute pool when it is not."""
