"""Stored prompts: texts for language models, in versions that never change."""
