"""Django's entry to the app."""

from django.apps import AppConfig


class HumanTasksConfig(AppConfig):
    """The app's name, defaults, and what it supplies to the app below."""

    name = "humantasks"
    verbose_name = "Human tasks"
    step_types = ("humantasks.step.HumanTaskHandler",)

    def ready(self) -> None:
        """Tell the app below what people are asked in a run."""
        # The models are there now, and were not before.
        from humantasks.selectors import asked_in_run  # noqa: PLC0415
        from runs.journals.asked_people import asked_in  # noqa: PLC0415

        asked_in.register(lambda: asked_in_run)
