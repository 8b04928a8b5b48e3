"""The activity `sanitize_page`: normalise, validate and minimise a page; set aside what is no contact."""

from dataclasses import dataclass

from msgspec import Raw
from temporalio import activity

from contactsync.activities.contacts.contact import read, written
from contactsync.activities.contacts.quarantine import UnreadableContact
from contactsync.activities.heartbeat import heartbeating
from contactsync.activities.messages import SANITIZE_PAGE, CleanPage, Page
from contactsync.activities.pages import Bad, CleanContact, CleanRecord, RawContact, RawRecord, clean_body, load_raw
from contactsync.activities.sanitizing.normal_forms import forms_of
from contactsync.activities.sanitizing.sanitize import Policy, sanitize
from contactsync.activities.store.directory import Directory


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
    """`page` cleaned under `policy`."""
    body = clean_body(_clean(record, policy) for record in load_raw(page.body))
    return CleanPage(head=page.head.model_copy(update={"quarantined": body.quarantined}), body=body.content)


def _clean(record: RawRecord, policy: Policy) -> CleanRecord:
    if not isinstance(record, RawContact):
        return record
    try:
        contact = sanitize(read(bytes(record.contact)), policy)
    except UnreadableContact as set_aside:
        return Bad(record.id, set_aside.reason)
    emails, phones = forms_of(contact)
    return CleanContact(
        id=record.id,
        etag=record.etag,
        version=record.version,
        contact=Raw(written(contact)),
        emails=emails,
        phones=phones,
    )
