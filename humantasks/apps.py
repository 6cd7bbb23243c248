"""Django's entry to the app."""

from django.apps import AppConfig


class HumanTasksConfig(AppConfig):
    """The app's name and defaults."""

    name = "humantasks"
    verbose_name = "Human tasks"
    step_types = ("humantasks.step.HumanTaskHandler",)
