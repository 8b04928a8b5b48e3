"""Why somebody reads a tenant's payloads whole: a code from a closed list and, where there is one, a ticket.

Free text would be a person's text in the audit log, so there is none.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from starlette.requests import Request

from contactsync.codecs.server.limits import Refused

REASON_HEADER: Final = "x-contactsync-reason"
REASON_QUERY: Final = "reason"
_TICKET: Final = re.compile(r"[A-Z][A-Z0-9]{1,9}-[0-9]{1,9}")
_IN_PATH: Final = re.compile(r"(?:^|/)reason/([^/]*(?:/[^/]*)?)/(?:decode|encode)$")


class ReasonCode(StrEnum):
    """The closed list."""

    ACCESS_REQUEST = "access_request"
    ERASURE_REQUEST = "erasure_request"
    INCIDENT = "incident"
    LEGAL = "legal"
    SUPPORT = "support"
    SYNC_FAILURE = "sync_failure"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code, and a ticket such as `OPS-123` or nothing."""

    code: ReasonCode
    ticket: str = ""


def reason_of(request: Request) -> Reason | None:
    """The reason that a request gives: `incident` or `incident:OPS-123` as its header or query, or, since Temporal Web
    puts `/decode` after whatever its endpoint is, `…/reason/incident/OPS-123/decode` as its path. None: none.

    Raises:
        Refused: 400, it is none of ours, or there are different ones.
    """
    in_path = _IN_PATH.search(request.url.path)
    given = {*request.headers.getlist(REASON_HEADER), *request.query_params.getlist(REASON_QUERY)}
    given |= {in_path[1].replace("/", ":", 1)} if in_path else set()
    if not given:
        return None
    if len(given) > 1:
        raise Refused(400, "give one reason")
    return _reason(given.pop())


def _reason(text: str) -> Reason:
    code, colon, ticket = text.partition(":")
    if code not in frozenset(ReasonCode) or (colon and not _TICKET.fullmatch(ticket)):
        raise Refused(400, f"a reason is one of {', '.join(ReasonCode)}, and may name a ticket, as in incident:OPS-123")
    return Reason(ReasonCode(code), ticket)
