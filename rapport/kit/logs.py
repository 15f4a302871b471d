"""Logging, set up once per process. No message text or personal data at INFO and above."""

from __future__ import annotations

import logging.config


def configure(level: str) -> None:
    """Everything to stderr in one format; `level` is DEBUG, INFO, WARNING or ERROR."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"level": level.upper(), "handlers": ["stderr"]},
            "loggers": {
                # At DEBUG these would write out bodies, and at INFO a line per action call.
                "rasa_sdk": {"level": "WARNING"},
                "sse_starlette": {"level": "WARNING"},
                # Its warnings quote whole addresses, and Telegram's have the bot's token in them.
                "urllib3": {"level": "ERROR"},
            },
        }
    )
