"""What sanitizing did to a contact's values, in codes and counts: fit for logs and metrics."""

from enum import StrEnum


class Finding(StrEnum):
    """The closed list; none holds a value."""

    EMAIL_DROPPED = "email_dropped"  # no e-mail address
    PHONE_DROPPED = "phone_dropped"  # fewer than three digits
    PHONE_AS_TEXT = "phone_as_text"  # not known to be E.164, kept as written
    URI_DROPPED = "uri_dropped"  # no URI, or of a scheme that is not kept
    DATE_DROPPED = "date_dropped"  # no date
    DUPLICATE_FOLDED = "duplicate_folded"  # the same value twice
    TEXT_SHORTENED = "text_shortened"  # past the length limit
