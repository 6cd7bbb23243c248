"""Django's entry to the app."""

from django.apps import AppConfig


class SegmentsConfig(AppConfig):
    """The app's name and defaults."""

    name = "segments"
