"""The closed forms of what Temporal gets in clear: ids, names, reasons, search attributes.

Payloads are sealed; these cannot be, so a value that is not of its form is refused before it leaves. The guards of
clients and workflows ask here, and nowhere else is a form written down.
"""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final, cast
from uuid import UUID

from temporalio.common import Priority, RetryPolicy, SearchAttributePair, SearchAttributes, TypedSearchAttributes

from contactsync.codecs.payloads.failures import CLOSED_LIST
from contactsync.errors import SealRefused
from contactsync.identifiers import is_workflow_id, tenant_of_workflow

REASONS: Final = frozenset({"operator", "maintenance", "credentials", "privacy", "offboarding"})
"""Why something is cancelled, terminated or paused: the codes that Temporal may see."""

ATTRIBUTES: Final = frozenset(
    {"ContactSyncTenant", "ContactSyncConnection", "ContactSyncSource", "ContactSyncState", "TemporalChangeVersion"}
)
"""The search attributes there are; Temporal itself keeps the last one, the names of patches."""

_IDS: Final = frozenset({"ContactSyncTenant", "ContactSyncConnection"})
_WORD: Final = re.compile(r"[a-z][a-z_]{0,31}")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_TASK_QUEUE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LITERAL: Final = re.compile(r"'([^']*)'|\"([^\"]*)\"")
_SYNTAX: Final = re.compile(r"[A-Za-z0-9_` ()=<>!,.:+-]*")
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?")


def check_workflow_id(text: str) -> None:
    """An id of a workflow or a schedule: `kind/{tenant}/…`, see `contactsync.identifiers`.

    Raises:
        SealRefused.
    """
    tenant_of_workflow(text)
    if not is_workflow_id(text):
        raise SealRefused("an id for Temporal is of no known form; ids hold random UUIDs only")


def check_update_id(text: str | None) -> None:
    """An update's id: a UUID, or the SDK's own.

    Raises:
        SealRefused.
    """
    if text is not None and not _is_uuid(text):
        raise SealRefused("an update's id is no UUID; leave it out")


def check_name(name: str, names: Collection[str] | None) -> None:
    """The name of a workflow, activity, signal, query or update: one of `names`; without them, a name as code has it.

    Raises:
        SealRefused.
    """
    if not _NAME.fullmatch(name) or not (names is None or name in names or name.startswith("__")):
        raise SealRefused("a name for Temporal is not of the closed list; names come from code only")


def check_names(names: Iterable[str]) -> None:
    """The keys of memos and headers, which travel in clear beside their sealed values.

    Raises:
        SealRefused.
    """
    for name in names:
        if not _WORD.fullmatch(name):
            raise SealRefused("a key of a memo is no lower-case word; keys travel in clear")


def check_reason(reason: str | None) -> None:
    """Why something is ended or paused: a code of the closed list, or nothing.

    Raises:
        SealRefused.
    """
    if reason and reason not in REASONS:
        raise SealRefused("a reason for Temporal is not of the closed list; reasons are codes")


def check_task_queue(name: str | None) -> None:
    """A task queue: letters, digits and `._-`, at most 100.

    Raises:
        SealRefused.
    """
    if name and not _TASK_QUEUE.fullmatch(name):
        raise SealRefused("a task queue's name may hold letters, digits and ._- only")


def check_attributes(attributes: TypedSearchAttributes | SearchAttributes | None) -> None:
    """Search attributes: ours, with ids and codes as values.

    Raises:
        SealRefused.
    """
    for name, value in _pairs(attributes):
        if name not in ATTRIBUTES or not (_is_uuid(value) if name in _IDS else _is_code(value)):
            raise SealRefused("a search attribute is not ours, or holds neither an id nor a code")


def check_priority(priority: Priority) -> None:
    """A fairness key: the tenant's UUID.

    Raises:
        SealRefused.
    """
    if priority.fairness_key and not _is_uuid(priority.fairness_key):
        raise SealRefused("a fairness key is no UUID; it is the tenant's id")


def check_retries(policy: RetryPolicy | None) -> None:
    """The types of errors in a retry policy: of the closed list.

    Raises:
        SealRefused.
    """
    if policy is not None and not set(policy.non_retryable_error_types or ()) <= CLOSED_LIST:
        raise SealRefused("an error type in a retry policy is not of the closed list")


def check_absent(value: object) -> None:
    """What has no form of its own and is not used: cron expressions, notes of calendars, ids of activities.

    Raises:
        SealRefused.
    """
    if value:
        raise SealRefused("this would travel to Temporal in clear, and contactsync does not use it; leave it out")


def check_query(query: str | None, names: Collection[str] | None) -> None:
    """A question to visibility: its literals are ids, beginnings of ids, times, codes or names.

    Raises:
        SealRefused.
    """
    if query is None:
        return
    literals = [one or other for one, other in _LITERAL.findall(query)]
    if not _SYNTAX.fullmatch(_LITERAL.sub("", query)) or not all(_is_known(text, names) for text in literals):
        raise SealRefused("a visibility query holds something else than ids, times, codes and names")


def _is_known(text: str, names: Collection[str] | None) -> bool:
    if _is_uuid(text) or _TIME.fullmatch(text) or _WORD.fullmatch(text) or _is_beginning(text):
        return True
    return _NAME.fullmatch(text) is not None and (names is None or text in names or text in _STATUSES)


_STATUSES: Final = frozenset(
    {"Running", "Completed", "Failed", "Canceled", "Terminated", "ContinuedAsNew", "TimedOut", "Paused"}
)


def _is_beginning(text: str) -> bool:
    """A workflow id, or `kind/` or `kind/{tenant}/` as one begins."""
    kind, slash, rest = text.partition("/")
    if not slash or _WORD.fullmatch(kind) is None:
        return False
    return not rest or _is_uuid(rest.removesuffix("/")) or is_workflow_id(text)


def _pairs(attributes: TypedSearchAttributes | SearchAttributes | None) -> list[tuple[str, object]]:
    if isinstance(attributes, TypedSearchAttributes):
        pairs = cast("Sequence[SearchAttributePair[Any]]", attributes.search_attributes)  # of one type or another
        return [(pair.key.name, pair.value) for pair in pairs]
    if isinstance(attributes, Mapping):
        return [(name, value) for name, values in attributes.items() for value in values]
    return []


def _is_code(value: object) -> bool:
    return isinstance(value, str) and _WORD.fullmatch(value) is not None


def _is_uuid(value: object) -> bool:
    if not isinstance(value, str) or len(value) != 36:  # a UUID as text
        return False
    try:
        return str(UUID(value)) == value
    except ValueError:
        return False
