"""Log lines: an event name and fields, one JSON object a line on standard output.

Bound once at the boundary (request_id, actor, event_id); the log relay carries the lines to one place.
"""

import logging
import sys
from typing import cast

import structlog

Logger = structlog.typing.FilteringBoundLogger


def configure(part: str, *, level: str = "info") -> None:
    """Set logging up for a process; called once by its entry point.

    Lines of libraries that use the standard logging come out in the same shape.
    """
    before: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[*before, _part(part), structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(_number(level)),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stdout),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*before, _part(part)],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(_number(level), logging.INFO))
    logging.getLogger("amqp").setLevel(logging.WARNING)


def get(**fields: object) -> Logger:
    """A logger with some fields bound."""
    return cast("Logger", structlog.get_logger(**fields))


def _number(level: str) -> int:
    return logging.getLevelNamesMapping()[level.upper()]


def _part(part: str) -> structlog.typing.Processor:
    def add(
        _logger: structlog.typing.WrappedLogger, _method: str, line: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        line["part"] = part
        return line

    return add
