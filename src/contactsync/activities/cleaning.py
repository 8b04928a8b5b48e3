"""The activity `sanitize_page`: normalise, validate and minimise a page; set aside what is no contact."""

from dataclasses import dataclass

from msgspec import Raw
from pydantic import ValidationError
from temporalio import activity

from contactsync.activities.contacts.contact import read, written
from contactsync.activities.contacts.quarantine import UnreadableContact
from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import SANITIZE_PAGE, CleanPage, Page
from contactsync.activities.pages import Bad, CleanContact, CleanRecord, RawContact, RawRecord, clean_body, load_raw
from contactsync.activities.sanitizing.normal_forms import forms_of
from contactsync.activities.sanitizing.policy import Policy
from contactsync.activities.sanitizing.quick import Cleaned, ShortWay
from contactsync.activities.sanitizing.sanitize import sanitize
from contactsync.activities.store.directory import Directory
from contactsync.errors import PageUnreadable


@dataclass(frozen=True, slots=True)
class Cleaning:
    """What `sanitize_page` works with."""

    directory: Directory

    @activity.defn(name=SANITIZE_PAGE)
    async def sanitize_page(self, page: Page) -> CleanPage:
        """The page as it may be stored. Records that fail become quarantine entries; none is lost.

        Raises:
            PageUnreadable: another version wrote the page.
        """
        async with heartbeating():
            tenant = await self.directory.get_tenant(page.head.tenant_id)
            policy = Policy(fields=tenant.policy.fields, default_region=tenant.policy.default_region)
            return clean_page(page, policy)


def clean_page(page: Page, policy: Policy) -> CleanPage:
    """`page` cleaned under `policy`.

    Raises:
        PageUnreadable: another version wrote it.
    """
    short_way = ShortWay(policy)
    body = clean_body(_clean(record, policy, short_way) for record in load_raw(page.body))
    return CleanPage(head=page.head.model_copy(update={"quarantined": body.quarantined}), body=body.content)


def _clean(record: RawRecord, policy: Policy, short_way: ShortWay) -> CleanRecord:
    if not isinstance(record, RawContact):
        return record
    content = bytes(record.contact)
    try:
        clean = short_way.cleaned(content) or long_way(content, policy)
    except UnreadableContact as set_aside:
        return Bad(record.id, set_aside.reason)
    return CleanContact(record.id, Raw(clean.content), record.etag, record.version, clean.emails, clean.phones)


def long_way(content: bytes, policy: Policy) -> Cleaned:
    """The contact of this JSON, sanitized.

    Raises:
        UnreadableContact: it is to be set aside.
        PageUnreadable: another version wrote it.
    """
    try:
        raw = read(content)
    except ValidationError:
        raise PageUnreadable from None
    contact = sanitize(raw, policy)
    return Cleaned(written(contact), *forms_of(contact))
