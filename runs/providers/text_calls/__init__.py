"""Calls of tools that a server leaves in the text: their marks, how they are read, and that nobody hears them."""
