"""Mails to members about tasks."""
