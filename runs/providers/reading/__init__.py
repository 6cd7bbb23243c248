"""Readers of what strangers' model services send: its members by their types, calls of tools, messages in pieces."""
