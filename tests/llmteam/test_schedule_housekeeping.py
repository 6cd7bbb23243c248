"""What the scheduler sends for is there, and may come any number of times."""

import pytest
from django.conf import settings

from llmteam.celery import app


@pytest.mark.django_db
@pytest.mark.parametrize("name", settings.CELERY_BEAT_SCHEDULE)
def test_every_scheduled_task_exists_and_may_be_repeated(name: str) -> None:
    app.loader.import_default_modules()
    task = app.tasks[settings.CELERY_BEAT_SCHEDULE[name]["task"]]
    for _ in range(2):
        assert task() is None
