"""The Celery application. A message is a doorbell: it carries ids and may be lost, doubled or late."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "llmteam.settings")

app = Celery("llmteam")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["runs", "tenants"])
# By name: the engine reads models, which cannot be imported before the worker has set Django up.
app.steps["worker"].add("runs.engine.bootstep:EngineStep")
app.steps["worker"].add("humantasks.mail.bootstep:MailStep")
