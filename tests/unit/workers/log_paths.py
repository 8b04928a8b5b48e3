"""Sends planted values down every path by which a text can reach a process's stderr; run as a process of its own.

Each path is announced by a line `### name`, so that the test can tell which one let something through.
"""

import asyncio
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import cast

import structlog
import vobject
from temporalio.converter import DataConverter
from temporalio.runtime import LogForwardingConfig

from contactsync.errors import SourceUnavailable
from contactsync.workers.logs import LogFormat, LogLevel, configure_logging

PLANTED = "Zoë Planted <zoe.planted@example.com> +4930123456"

log = structlog.get_logger()


class PlantedError(Exception):
    """Holds a value in its text, its notes and a local variable of its frame."""


def _fail() -> None:
    somebody = PLANTED
    error = PlantedError(somebody)
    error.add_note(somebody)
    try:
        raise error
    except PlantedError as cause:
        raise SourceUnavailable(PLANTED) from cause


def _failing(act: Callable[[], None]) -> None:
    try:
        _fail()
    except SourceUnavailable:
        act()


def own_exception() -> None:
    """Our own logger with exception information."""
    _failing(lambda: log.exception("page failed", code="SourceUnavailable"))


def own_field() -> None:
    """A field that is not on the list, and one of the list with a value of the wrong shape."""
    log.info("page committed", email=PLANTED, reason=PLANTED, tenant_id=PLANTED, rows=PLANTED, pages=3)


def own_event() -> None:
    """An event that was built from a value."""
    log.info(f"synced {PLANTED}")


def own_context() -> None:
    """A value bound to the context."""
    with structlog.contextvars.bound_contextvars(who=PLANTED, attempt=2):
        log.info("page fetched")


def own_stack() -> None:
    """A line with its stack."""
    log.info("page fetched", stack_info=True, exc_info=PlantedError(PLANTED))


def foreign_message() -> None:
    """A library's formatted message."""
    logging.getLogger("httpx").warning("HTTP Request: GET https://example.com/?q=%s", PLANTED)


def foreign_args() -> None:
    """Arguments that cannot be formatted, which the standard library would print."""
    logging.getLogger("httpx").warning("%d", PLANTED)


def foreign_debug() -> None:
    """The SDK's heartbeat details."""
    logging.getLogger("temporalio.worker._activity").debug("Recording heartbeat with details %s", [PLANTED])


def foreign_extra() -> None:
    """Fields given as `extra`, one of them named like one of ours."""
    logging.getLogger("asyncpg").error("failed", extra={"reason": PLANTED, "who": PLANTED})


def foreign_exception() -> None:
    """The SDK's failed activity."""
    failed = logging.getLogger("temporalio.activity")
    _failing(lambda: failed.warning("Completing activity as failed ({'x': '%s'})", PLANTED, exc_info=True))


def foreign_logger_exception() -> None:
    """`logging.exception` of the root logger."""
    _failing(lambda: logging.exception("failed for %s", PLANTED))  # noqa: LOG015, RUF100


def foreign_known_prefix() -> None:
    """A known message that goes on with a value."""
    logging.getLogger("asyncio").error("Task exception was never retrieved\n" + PLANTED)


def foreign_name() -> None:
    """A logger named after somebody."""
    logging.getLogger(PLANTED).error("failed")


def foreign_own_handler() -> None:
    """A library that sets up a handler of its own before logging is configured again."""
    library = logging.getLogger("library")
    library.addHandler(logging.StreamHandler())
    library.propagate = False
    configure()
    library.error("failed for %s", PLANTED)


def foreign_vobject() -> None:
    """A vCard line that vobject cannot read."""
    try:
        vobject.readOne(f"BEGIN:VCARD\r\nFN{PLANTED}\r\nEND:VCARD\r\n")  # pyright: ignore[reportUnknownMemberType]
    except vobject.base.ParseError:
        logging.getLogger("vobject").exception("cannot read the card of %s", PLANTED)


def foreign_converter() -> None:
    """A converter's failure, through the root logger."""
    try:
        DataConverter.default.payload_converter.to_payloads([cast("object", PlantedError(PLANTED))])
    except TypeError:
        logging.getLogger("temporalio.converter").exception("cannot convert %s", PLANTED)


def foreign_core() -> None:
    """A record of the SDK's core, forwarded as the runtime forwards it."""
    entry = SimpleNamespace(
        level=logging.WARNING, message=PLANTED, target="temporalio_client", fields={"x": PLANTED}, time=0.0
    )
    LogForwardingConfig(logging.getLogger("temporalio.core"))._on_logs([entry])  # pyright: ignore  # as Core calls it


def python_warning() -> None:
    """A warning whose text holds a value."""
    warnings.simplefilter("always")
    warnings.warn(PLANTED, stacklevel=1)


def asyncio_handler() -> None:
    """A task whose exception nobody retrieved, and the loop's exception handler."""

    async def main() -> None:
        async def fails() -> None:
            _fail()

        task = asyncio.ensure_future(fails())
        await asyncio.wait([task])
        del task
        gc.collect()
        asyncio.get_running_loop().call_exception_handler({"message": PLANTED, "exception": PlantedError(PLANTED)})

    asyncio.run(main(), debug=True)


def thread_hook() -> None:
    """An exception that ends a thread."""
    thread = threading.Thread(target=_fail, name=PLANTED)
    thread.start()
    thread.join()


def unraisable_hook() -> None:
    """An exception in a finaliser."""

    class Finalised:
        def __del__(self) -> None:
            _fail()

        def __repr__(self) -> str:
            return PLANTED

    Finalised()
    gc.collect()


def uncaught() -> None:
    """An exception that ends the process."""
    sys.stderr.flush()
    _fail()


def configure() -> None:
    """Configure as the command line says: format, level."""
    configure_logging(cast("LogFormat", sys.argv[1]), cast("LogLevel", sys.argv[2]))


PATHS = (
    own_exception,
    own_field,
    own_event,
    own_context,
    own_stack,
    foreign_message,
    foreign_args,
    foreign_debug,
    foreign_extra,
    foreign_exception,
    foreign_logger_exception,
    foreign_known_prefix,
    foreign_name,
    foreign_own_handler,
    foreign_vobject,
    foreign_converter,
    foreign_core,
    python_warning,
    asyncio_handler,
    thread_hook,
    unraisable_hook,
    uncaught,
)


def main() -> None:
    """Walk every path; the last one ends the process."""
    configure()
    for path in PATHS:
        sys.stderr.write(f"### {path.__name__}\n")
        path()


if __name__ == "__main__":
    main()
