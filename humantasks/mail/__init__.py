"""Mails that tell members of tasks."""
