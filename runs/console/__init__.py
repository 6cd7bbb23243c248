"""Runs for operators: the console's pages, what they read, and what operators do from them."""
