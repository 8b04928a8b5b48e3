"""Every log line of a process, ours and every library's, through one allow-list (`log_lines.py`) to stderr.

Our own lines come from `structlog.get_logger()`, in every room; this module is where processes say how lines look.
"""

import logging
import sys
import threading
import warnings
from collections.abc import Callable, MutableMapping, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.typing import Processor

from contactsync.workers.log_lines import PROCESSORS, code_file, foreign_event, level_name

LogFormat = Literal["auto", "json", "console"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR"]


def configure_logging(log_format: LogFormat = "auto", level: LogLevel = "INFO") -> None:
    """Send every log line of this process, ours and every library's, through the allow-list to stderr.

    Libraries speak from WARNING on, and at `level` when that is DEBUG. Call it again after a library has set up
    handlers of its own. Uncaught exceptions, unraisable ones and warnings become lines too.
    """
    chain: list[Processor] = [*PROCESSORS, _renderer(log_format)]
    own_level = logging.getLevelNamesMapping()[level]
    structlog.configure(
        processors=chain,
        wrapper_class=structlog.make_filtering_bound_logger(own_level),
        logger_factory=lambda *_: _StderrLogger(),
        cache_logger_on_first_use=False,  # stderr may be replaced later, and lines are few
    )
    _take_over_stdlib(ForeignHandler(chain), own_level)
    _take_over_hooks()


class ForeignHandler(logging.Handler):
    """Takes the standard library's records, keeps what is code, and drops every text that may hold a value."""

    def __init__(self, chain: Sequence[Processor]) -> None:
        super().__init__()
        self._chain = chain

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line; a record that cannot be written becomes a constant line, never a dump of itself."""
        self.write(lambda: foreign_event(record))

    def write(self, make_event: Callable[[], dict[str, object]]) -> None:
        """Write what `make_event` returns as one line."""
        try:
            _write(_run(self._chain, make_event()))
        except Exception:  # noqa: BLE001  # a failing log line must not fail the work, nor print its own text
            _write('{"event": "a log record could not be written", "level": "error"}')


class _StderrLogger:
    """Where structlog's rendered lines go, whatever their level."""

    def msg(self, message: str) -> None:
        _write(message)

    debug = info = warning = error = critical = exception = log = msg


_write_lock = threading.RLock()  # a finaliser may log while its own thread is writing a line


def _write(line: str) -> None:
    stream: TextIO | None = sys.stderr  # None under pythonw and after a daemon closed it
    if stream is None or stream.closed:
        return
    with _write_lock, suppress(OSError):  # nobody reads our log any more: the work goes on
        stream.write(line + "\n")
        stream.flush()


def _run(chain: Sequence[Processor], event: MutableMapping[str, object]) -> str:
    result: object = event
    for processor in chain:
        result = processor(None, "", result)  # pyright: ignore[reportArgumentType]  # each hands its result to the next
    return str(result)


def _renderer(log_format: LogFormat) -> Processor:
    terminal = sys.stderr is not None and sys.stderr.isatty()  # pyright: ignore[reportUnnecessaryComparison]
    if log_format == "console" or (log_format == "auto" and terminal):
        return structlog.dev.ConsoleRenderer(colors=terminal, timestamp_key="time")
    return structlog.processors.JSONRenderer()


def _take_over_stdlib(handler: logging.Handler, own_level: int) -> None:
    """Make `handler` the only one there is: libraries that brought handlers of their own lose them."""
    logging.raiseExceptions = False  # else a handler that fails prints the record, with its arguments
    logging.captureWarnings(False)
    for logger in list(logging.root.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger):
            logger.handlers.clear()
            logger.propagate = True
            logger.setLevel(logging.NOTSET)
    logging.root.handlers[:] = [handler]
    logging.root.setLevel(own_level if own_level == logging.DEBUG else max(own_level, logging.WARNING))
    logging.lastResort = None


def _take_over_hooks() -> None:
    sys.excepthook = _on_uncaught
    sys.unraisablehook = _on_unraisable
    threading.excepthook = _on_thread_exception
    warnings.showwarning = _on_warning


def _on_uncaught(
    _kind: type[BaseException], error: BaseException, _traceback: TracebackType | None
) -> None:  # the shape of `sys.excepthook`
    _emit("uncaught exception", logging.CRITICAL, error)


def _on_thread_exception(args: threading.ExceptHookArgs) -> None:
    if not isinstance(args.exc_value, SystemExit):
        _emit("uncaught exception in a thread", logging.CRITICAL, args.exc_value)


def _on_unraisable(unraisable: "sys.UnraisableHookArgs") -> None:
    _emit("exception that could not be raised", logging.ERROR, unraisable.exc_value)


def _on_warning(
    _message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    _file: TextIO | None = None,
    _line: str | None = None,
) -> None:
    _emit("warning of python", logging.WARNING, category=category.__name__, at=f"{code_file(filename)}:{lineno}")


def _emit(event: str, level: int, error: BaseException | None = None, **fields: str) -> None:
    """One line of a hook, through the same chain as all others."""
    line: dict[str, object] = {
        "event": event,
        "level": level_name(level),
        "exc_info": error,
        "_foreign": True,
        **fields,
    }
    for handler in logging.root.handlers:
        if isinstance(handler, ForeignHandler):
            handler.write(lambda: line)
