"""A pool of bounded processes for pure work that may be slow, off the event loop and off the request threads."""
