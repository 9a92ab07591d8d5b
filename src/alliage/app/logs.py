"""Logs of our own processes: one JSON object a line, capped and rotated; prompts and secrets are never logged."""

import logging
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Final

import structlog

LOG_BYTES_MAX: Final = 5 * 1024 * 1024
LOG_FILES_OLD: Final = 3
"""`NAME.log` and three older ones: at most 20 MiB a process."""


def log_to(folder: Path, name: str) -> None:
    """Send structlog and logging of this process to `folder/name.log`."""
    logging.raiseExceptions = False  # a full disk loses log lines; it must not print a traceback for each
    handler = RotatingFileHandler(folder / f"{name}.log", maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_OLD)
    stamps: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=stamps,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        ),
    )
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)
    for chatty in ("uvicorn.access", "httpx2", "alembic", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*stamps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
