"""The Celery application. A message is a doorbell: it carries ids and may be lost, doubled or late."""

import atexit
import logging
import os
from typing import Any

import celery.apps.worker
from celery import Celery, signals
from django.conf import settings

from llmteam.preflight import (
    stop_where_database_refuses,
    stop_where_redis_refuses,
    stop_where_settings_are_wrong,
    stop_where_wrong,
)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")
# Django's checks of routes and models load all that a web process has; a worker that takes over has no time for it.
os.environ.setdefault("CELERY_SKIP_CHECKS", "1")
stop_where_settings_are_wrong()

app = Celery("llmteam")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["runs", "tenants", "audit"])
# By name: the engine reads models, which cannot be imported before the worker has set Django up.
app.steps["worker"].add("runs.engine.host.bootstep:EngineStep")
app.steps["worker"].add("humantasks.mail.bootstep:MailStep")


@signals.celeryd_init.connect
def keep_the_log_in_json(instance: Any, **_: Any) -> None:
    """Have Celery print nothing past the log where that is JSON lines: no banner, no words of its signal handler."""
    if settings.LOG_FORMAT == "json":
        instance.quiet = True
        setattr(celery.apps.worker, "safe_say", lambda *_: None)  # noqa: B010 - it has no type; the engine says that it stops


@signals.worker_init.connect
def look_before_the_work(**_: Any) -> None:
    """End a worker whose database or Redis refuses its setting, or whose settings name what is not there."""
    from runs.engine.middleware import listed_middleware  # noqa: PLC0415 - Django is set up now, and was not before
    from runs.runtime import current_runtime  # noqa: PLC0415 - as above

    stop_where_wrong(listed_middleware)
    stop_where_wrong(current_runtime)
    # As the engine connects: a pooler that is not called one refuses settings at the start.
    options = "" if settings.DATABASE_POOLED else "-c timezone=UTC"
    stop_where_database_refuses("DATABASE_URL", settings.DATABASES["default"], options=options)
    if settings.DATABASE_DIRECT is not None:
        stop_where_database_refuses("DATABASE_DIRECT_URL", settings.DATABASE_DIRECT, options="-c timezone=UTC")
    stop_where_redis_refuses(settings.REDIS_URL)


@signals.beat_init.connect
def log_scheduler(**_: Any) -> None:
    """Say that the scheduler is ready, and when it ends. It needs Redis only, which must not refuse it."""
    stop_where_redis_refuses(settings.REDIS_URL)
    log = logging.getLogger("llmteam")
    log.info("scheduler is ready")
    atexit.register(log.info, "scheduler has stopped")
