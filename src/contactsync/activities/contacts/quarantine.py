"""Why a contact was set aside. Codes only: they stand in clear in tables, logs and metrics."""

from enum import StrEnum

from contactsync.errors import ContactSyncError


class QuarantineReason(StrEnum):
    """The closed list of reasons; none holds a value."""

    UNREADABLE = "unreadable"  # the source's text is no vCard, or a broken one
    TOO_LARGE = "too_large"  # past the byte limit of one contact
    TOO_MANY_VALUES = "too_many_values"  # more e-mails, phones … than a contact may have
    EMPTY = "empty"  # nothing is left that the allow-list keeps
    INVALID = "invalid"  # fails the contact model


class UnreadableContact(ContactSyncError):
    """the source's text is not a contact"""

    def __init__(self, reason: QuarantineReason) -> None:
        super().__init__()
        self.reason = reason
