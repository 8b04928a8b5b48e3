"""What a log line may hold: pure functions from records and events to what is kept of them.

Our own lines: a constant event and the fields of `FIELDS`, each with the shape its value must have; anything else is
dropped and counted in the line's `dropped`. Records of other libraries (the Temporal SDK logs exception texts, httpx
URLs, parsers their line) keep logger, level, place in the code, the exception's class, and a message only
where it is one of `KNOWN_MESSAGES`. Tracebacks are frames without texts.
"""

import logging
import re
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType, TracebackType
from typing import Final
from uuid import UUID

from structlog.contextvars import merge_contextvars
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger

from contactsync.errors import ContactSyncError

Shape = Callable[[object], bool]

_EVENT: Final = re.compile(r"[a-z][A-Za-z ,'_-]{0,79}")
_ID: Final = re.compile(r"(?:[a-z]{1,12}/)?[0-9a-f]{8}[0-9a-f-]{0,28}(?:/[0-9a-f-]{1,36})?")
_CODE: Final = re.compile(r"[A-Za-z][A-Za-z0-9_./:-]{0,63}")
_DOTTED: Final = re.compile(r"[A-Za-z_(<][A-Za-z0-9_.:()<>-]{0,79}")
_CHECKPOINT: Final = re.compile(
    r"contactsync/audit/[0-9a-f-]{36}\n[0-9]{1,18}\n[A-Za-z0-9+/]{43}=\n\n— contactsync/audit [A-Za-z0-9+/=]{92}\n"
)
_FRAMES: Final = 12  # innermost frames kept of a traceback
_CAUSES: Final = 6  # exceptions kept of a chain

WITHHELD: Final = "message withheld"


def _is_id(value: object) -> bool:
    return isinstance(value, str | UUID) and _ID.fullmatch(str(value)) is not None


def _is_number(value: object) -> bool:
    return value is None or isinstance(value, int | float)


def _is_code(value: object) -> bool:
    return value is None or (isinstance(value, str) and _CODE.fullmatch(value) is not None)


def _is_checkpoint(value: object) -> bool:
    return isinstance(value, str) and _CHECKPOINT.fullmatch(value) is not None


def _fields(shape: Shape, names: str) -> dict[str, Shape]:
    return dict.fromkeys(names.split(), shape)


FIELDS: Final[Mapping[str, Shape]] = MappingProxyType(
    {
        **_fields(_is_id, "tenant_id connection_id pass_id backfill_id run_id request_id workflow_id key_id"),
        **_fields(_is_checkpoint, "checkpoint"),
        **_fields(
            _is_number,
            "added attempt audit_seq bytes changes deleted done downloaded duration_ms entries epoch exit_code full"
            " generation held limit max_activities page pages pid port quarantined rows seconds signal status unchanged"
            " updated",
        ),
        **_fields(
            _is_code,
            "activity code kind method migration namespace operation outcome process reason role state step task_queue"
            " version workflow",
        ),
    }
)
"""The fields of our own lines: ids are UUIDs or hexadecimal, codes are words without spaces and without `@`; a
checkpoint is a note of the audit log."""

KNOWN_MESSAGES: Final[tuple[tuple[str, str], ...]] = (
    ("asyncio", "Task exception was never retrieved"),
    ("asyncio", "Future exception was never retrieved"),
    ("asyncio", "Task was destroyed but it is pending!"),
    ("asyncio", "Executing "),
    ("temporalio.activity", "Completing activity as failed"),
    ("temporalio.activity", "Completing as failure during heartbeat"),
    ("temporalio.activity", "Completing as failure due to unhandled cancel error"),
    ("temporalio.activity", "Exception handling failed"),
    ("temporalio.activity", "Failed completing activity task"),
    ("temporalio.worker._activity", "Cancelling activity because failed recording heartbeat"),
    ("temporalio.worker._activity", "Activity task raised during worker shutdown"),
    ("temporalio.worker._worker", "Beginning worker shutdown"),
    ("temporalio.worker._worker", "Worker cancelled, shutting down"),
    ("temporalio.worker._worker", "Worker failed, shutting down"),
    ("temporalio.worker._workflow", "Failed completing activation on workflow"),
    ("temporalio.worker._workflow", "Failed encoding completion on workflow"),
    ("temporalio.worker._workflow", "Failed handling activation on workflow"),
    ("temporalio.worker._workflow", "Timed out running eviction job"),
    ("temporalio.worker._workflow_instance", "Failed activation on workflow"),
    ("temporalio.worker._workflow_instance", "Failed deserializing signal input"),
    ("uvicorn.error", "Application startup complete"),
    ("uvicorn.error", "Exception in ASGI application"),
    ("uvicorn.error", "Finished server process"),
    ("uvicorn.error", "Invalid HTTP request received"),
    ("uvicorn.error", "Shutting down"),
    ("uvicorn.error", "Started server process"),
)
"""(logger, beginning of its message): what is shown is this text, never the rest of the message."""


def foreign_event(record: logging.LogRecord) -> dict[str, object]:
    """What is kept of a record; its `args`, `extra`, `exc_text` and `stack_info` are never looked at."""
    return {
        "event": _known_message(record),
        "level": level_name(record.levelno),
        "logger": _dotted(record.name),
        "at": f"{code_file(record.pathname)}:{record.lineno}",
        "function": _dotted(record.funcName or ""),
        "exc_info": record.exc_info,
        "_foreign": True,
    }


def _known_message(record: logging.LogRecord) -> str:
    message = record.msg if isinstance(record.msg, str) else ""
    known = (text for name, text in KNOWN_MESSAGES if record.name == name and message.startswith(text))
    return next(known, WITHHELD).strip()


def level_name(number: int) -> str:
    levels = ((logging.CRITICAL, "critical"), (logging.ERROR, "error"), (logging.WARNING, "warning"))
    return next((name for least, name in levels if number >= least), "info" if number >= logging.INFO else "debug")


def _dotted(name: str) -> str:
    return name if _DOTTED.fullmatch(name) else "other"


def code_file(path: str) -> str:
    """The part of a path that names code: below `site-packages` or `src`, else the file's own name."""
    parts = path.replace("\\", "/").split("/")
    roots = [index for index, part in enumerate(parts) if part in {"site-packages", "src"}]
    kept = parts[roots[-1] + 1 :] if roots else parts[-1:]
    return "/".join(kept) if all(_DOTTED.fullmatch(part) for part in kept) else "other"


def _add_level_and_time(_logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    event.setdefault("level", {"exception": "error", "warn": "warning"}.get(method, method))
    event["time"] = datetime.now(UTC).isoformat(timespec="milliseconds")
    return event


def _describe_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace `exc_info` by the exception's class, our code for it, and frames."""
    error = _exception_of(event.pop("exc_info", None))
    if error is not None:
        event["error"] = describe_exception(error)
    return event


def _exception_of(exc_info: ExcInfo | BaseException | bool | tuple[None, None, None] | None) -> BaseException | None:
    match exc_info:
        case BaseException():
            return exc_info
        case (_, BaseException() as error, _):
            return error
        case True:
            return sys.exc_info()[1]
        case _:
            return None


def describe_exception(error: BaseException) -> dict[str, object]:
    """The classes of an exception and its causes, and where it was raised; no text and no local variable of it."""
    chain = _chain_of(error)
    described: dict[str, object] = {
        "class": _dotted(type(error).__name__),
        "frames": _frames(error.__traceback__),
    }
    code = next((code for code in map(_code_of, chain) if code), None)
    if code:
        described["code"] = code
    if len(chain) > 1:
        described["causes"] = [_dotted(type(cause).__name__) for cause in chain[1:]]
    return described


def _chain_of(error: BaseException) -> list[BaseException]:
    chain: list[BaseException] = []
    following: BaseException | None = error
    while following is not None and following not in chain and len(chain) < _CAUSES:
        chain.append(following)
        following = following.__cause__ or (None if following.__suppress_context__ else following.__context__)
    return chain


def _code_of(error: BaseException) -> str | None:
    """Our code of an error; Temporal's `ApplicationError` carries it as its type."""
    code: object = error.code if isinstance(error, ContactSyncError) else getattr(error, "type", None)
    return code if isinstance(code, str) and code in _codes() else None


def _codes(base: type[ContactSyncError] = ContactSyncError) -> set[str]:
    return {base.__name__, *(code for child in base.__subclasses__() for code in _codes(child))}


def _frames(traceback: TracebackType | None) -> list[str]:
    frames: list[str] = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        frames.append(f"{code_file(code.co_filename)}:{traceback.tb_lineno} {_dotted(code.co_name)}")
        traceback = traceback.tb_next
    return frames[-_FRAMES:]


_KEPT: Final = frozenset({"event", "level", "time", "error"})
_KEPT_OF_FOREIGN: Final = _KEPT | {"logger", "at", "function", "category"}


def _allow_list(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Keep what may be kept; count the rest in `dropped`."""
    kept_names = _KEPT_OF_FOREIGN if event.pop("_foreign", False) else _KEPT
    kept = {name: value for name, value in event.items() if name in kept_names}
    fields = {name: _plain(value) for name, value in event.items() if name in FIELDS and FIELDS[name](value)}
    dropped = len(event) - len(kept) - len(fields)
    if kept_names is _KEPT and not _EVENT.fullmatch(str(kept.get("event"))):
        kept["event"] = WITHHELD
        dropped += 1
    return {**kept, **fields, **({"dropped": dropped} if dropped else {})}


def _plain(value: object) -> object:
    return value if value is None or isinstance(value, bool | int | float) else str(value)


PROCESSORS: Final[tuple[Processor, ...]] = (
    merge_contextvars,
    _add_level_and_time,
    _describe_exception,
    _allow_list,
)
"""What every line goes through, ours and others', before it is rendered."""
