"""WHAT HAPPENED: the audit."""
