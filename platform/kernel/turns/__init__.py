"""Turns: how owners share threads, lines and the processor of a process."""
