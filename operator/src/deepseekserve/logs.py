"""Turns log records into one line of key=value pairs each: a constant message, then its fields.

Beside the flow: every module logs through the standard library with `extra=fields(...)`; `operate` sets it up.
"""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime
from typing import Any


def fields(**values: object) -> dict[str, Any]:
    """The `extra` argument of a log call: what varies, apart from the message that does not."""
    return {"fields": values}


class KeyValues(logging.Formatter):
    """time=... level=... logger=... msg="..." and the record's fields; a traceback follows on its own lines."""

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        values = {"time": at, "level": record.levelname, "logger": record.name, "msg": record.getMessage()}
        values |= getattr(record, "fields", {})
        line = " ".join(f"{key}={_quoted(value)}" for key, value in values.items())
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _quoted(value: object) -> str:
    text = str(value)
    plain = text and not any(c.isspace() or c in '"=' or not c.isprintable() for c in text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def set_up(level: str) -> None:
    """Send our records to standard error; of the libraries only what needs a reader."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(KeyValues())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("deepseekserve").setLevel(level)


def loop_errors(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's exception handler: what the loop says of generators that it closes at its end is no error.

    A watch of kopf that is cancelled between two events leaves its generators suspended, one within another. The loop
    then closes them in any order, and the outer one complains when the inner one was first. Only `shutdown_asyncgens`
    reports with the key `asyncgen`; every other report keeps its traceback.
    """
    if "asyncgen" in context:
        logging.getLogger(__name__).debug("closed a suspended generator", extra=fields(error=context.get("exception")))
    else:
        loop.default_exception_handler(context)
