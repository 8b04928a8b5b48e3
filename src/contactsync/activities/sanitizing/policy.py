"""What a tenant wants kept, and how its national phone numbers are read."""

from dataclasses import dataclass

from contactsync.activities.contacts.contact import DEFAULT_FIELDS, Fields
from contactsync.activities.sanitizing.phones import is_region
from contactsync.errors import SettingsError


@dataclass(frozen=True, slots=True)
class Policy:
    """`fields`: the allow-list. `default_region`: ISO 3166-1 alpha-2, upper case, or empty for none.

    Raises:
        SettingsError: the region is not one that phone numbers are known of.
    """

    fields: Fields = DEFAULT_FIELDS
    default_region: str = ""

    def __post_init__(self) -> None:
        if self.default_region and not is_region(self.default_region):
            raise SettingsError("the default region is no region with phone numbers; use a code such as DE or JP")
