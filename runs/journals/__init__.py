"""Journals as callers read them: records, activations, single values, and whole runs."""
