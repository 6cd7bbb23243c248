"""The log: one JSON object a line in production, lines for people in development."""

import logging
import traceback
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from kernel.log_fields import LOG_FIELDS

_OF_EVERY_RECORD: Final = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}
MAX_CHARACTERS: Final = 8_000
"""Of a message or a stack, so that a line stays one that collectors take."""


class JsonFormatter(logging.Formatter):
    """Writes a record with its request, tenant and run, and the fields it was given by ``extra``."""

    def format(self, record: logging.LogRecord) -> str:
        """Write one line."""
        line: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage()[:MAX_CHARACTERS],
            **LOG_FIELDS.get(),
        }
        # Objects are left out: nobody can say what their text holds. Django gives the request, with its query.
        line |= {
            name: value
            for name, value in record.__dict__.items()
            if name not in _OF_EVERY_RECORD and isinstance(value, str | int | float | None)
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = "".join(traceback.format_exception(*record.exc_info))[-MAX_CHARACTERS:]
        return orjson.dumps(line, option=orjson.OPT_NON_STR_KEYS).decode()


def logging_config(*, form: str, level: str) -> dict[str, Any]:
    """Write Django's ``LOGGING`` for one form: ``json`` or ``text``."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"},
            "json": {"()": JsonFormatter},
        },
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": form}},
        "root": {"handlers": ["console"], "level": level},
        # httpx would log every URL with its query, which may hold a secret; so does Django of requests it refuses.
        # The SDKs of model services would log prompts.
        "loggers": {
            **{name: {"level": "WARNING"} for name in ("httpx", "httpcore", "openai", "anthropic")},
            "django": {"level": "INFO", "handlers": [], "propagate": True},
            "django.server": {"level": "INFO", "handlers": [], "propagate": True},
            "django.request": {"level": "ERROR"},  # each request has its line already
        },
    }
