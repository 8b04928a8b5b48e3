"""Every error of contactsync. A class's docstring is its default message.

    ContactSyncError
    ├── SettingsError                 exit 3   never retried
    ├── NotFound                      exit 4   never
    │   ├── TenantNotFound
    │   ├── ConnectionNotFound
    │   ├── ContactNotFound
    │   ├── BackfillNotFound
    │   ├── HoldNotFound
    │   └── OffboardingNotFound
    ├── DatabaseError                 exit 5
    │   ├── DatabaseUnavailable                again
    │   ├── DatabaseReadOnly                   again
    │   ├── DatabaseFull                       again
    │   ├── DatabaseRefused                    never
    │   ├── NotMigrated                        again
    │   └── StalePass                          never
    ├── TemporalError                 exit 6
    │   ├── TemporalUnavailable                again
    │   ├── TemporalRefused                    never
    │   └── NoWorker                           again
    ├── KeysError                     exit 7
    │   ├── RootKeyUnavailable                 again
    │   ├── RootKeyRefused                     again
    │   ├── KeyAltered                         again
    │   ├── KeyUnknown                         never
    │   └── KeyDestroyed                       never
    ├── SealError                     exit 7   never
    │   ├── SealRefused
    │   ├── OpenRefused
    │   │   └── KeysRotated                    again
    │   └── NoteRefused
    ├── MessageUnreadable             exit 70  never
    ├── PageUnreadable                exit 70  never
    ├── ProcessEnded                  exit 70  never
    ├── ConnectionPaused              exit 10  never
    ├── StillUnderWay                 exit 11  again
    ├── TenantDisabled                exit 12  never
    └── SourceError
        ├── SourceUnavailable         exit 8   again
        ├── SourceThrottled           exit 8   after a time
        ├── SourceAddressWrong        exit 8   never
        ├── AddressForbidden          exit 8   never
        ├── SourceMisbehaved          exit 8   again
        ├── SourceLoops               exit 8   never
        ├── CursorExpired             exit 8   never
        ├── CredentialsRejected       exit 9   never
        └── SecretUnavailable         exit 9   again

Messages are lower case and name the step, the id and what to do next; never a person's value, a key, a payload
or a text of the other side. `code` is the closed list of types that Temporal sees.
"""

from enum import Enum
from typing import ClassVar


class Retry(Enum):
    """The verdict on doing the same thing again."""

    AGAIN = "again"
    AFTER = "after"
    NEVER = "never"


class ContactSyncError(Exception):
    """something went wrong inside contactsync"""

    retry: ClassVar[Retry] = Retry.NEVER
    exit_code: ClassVar[int] = 70

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())

    @property
    def code(self) -> str:
        """The name by which Temporal, logs and metrics know this error: the class's own."""
        return type(self).__name__


class SettingsError(ContactSyncError):
    """the settings are not usable"""

    exit_code = 3


class NotFound(ContactSyncError):
    """there is no such thing"""

    exit_code = 4


class TenantNotFound(NotFound):
    """there is no such tenant; `contactsync tenant list` shows those there are"""


class ConnectionNotFound(NotFound):
    """there is no such connection; `contactsync connection list` shows those there are"""


class ContactNotFound(NotFound):
    """there is no such contact in this tenant"""


class BackfillNotFound(NotFound):
    """there is no such backfill; `contactsync backfill status` shows those there are"""


class HoldNotFound(NotFound):
    """no such deletions are held; `contactsync deletes list` shows those that are"""


class OffboardingNotFound(NotFound):
    """this tenant is not being offboarded; `contactsync tenant offboard` begins it"""


class DatabaseError(ContactSyncError):
    """the database refused"""

    exit_code = 5


class DatabaseUnavailable(DatabaseError):
    """the database does not answer; check that it runs and that its address is right"""

    retry = Retry.AGAIN


class DatabaseReadOnly(DatabaseError):
    """the database is read-only; nothing was written, make it writable and the work goes on"""

    retry = Retry.AGAIN


class DatabaseFull(DatabaseError):
    """the database is out of space; nothing was written, make room and the work goes on"""

    retry = Retry.AGAIN


class DatabaseRefused(DatabaseError):
    """the database refused the statement"""


class NotMigrated(DatabaseError):
    """the database's schema is not the one this version needs; run `contactsync migrate`"""

    retry = Retry.AGAIN


class StalePass(DatabaseError):
    """a newer pass has taken over this connection; nothing was written"""


class TemporalError(ContactSyncError):
    """Temporal refused"""

    exit_code = 6


class TemporalUnavailable(TemporalError):
    """Temporal does not answer; check that it runs and that its address is right"""

    retry = Retry.AGAIN


class TemporalRefused(TemporalError):
    """Temporal refused the request"""


class NoWorker(TemporalError):
    """no worker takes the work; start `contactsync worker`, or check that those that run use this task queue"""

    retry = Retry.AGAIN


class KeysError(ContactSyncError):
    """a key is not usable"""

    exit_code = 7


class RootKeyUnavailable(KeysError):
    """the root key cannot be reached; nothing is sealed or opened until it can"""

    retry = Retry.AGAIN


class RootKeyRefused(KeysError):
    """the root key does not open this tenant's key: it is another key, or was altered; put the right one back"""

    retry = Retry.AGAIN


class KeyAltered(KeysError):
    """a stored key does not open under its tenant's key: its row was altered; restore the key store's row"""

    retry = Retry.AGAIN


class KeyUnknown(KeysError):
    """there is no key of this id"""


class KeyDestroyed(KeysError):
    """this key was destroyed; what it sealed is gone"""


class SealError(ContactSyncError):
    """sealing failed"""

    exit_code = 7


class SealRefused(SealError):
    """there is no tenant to seal for; contact data is never sent unsealed"""


class OpenRefused(SealError):
    """the sealed bytes cannot be opened"""


class KeysRotated(OpenRefused):
    """the tenant's keys were rotated meanwhile; it is tried again with the new ones, and nothing was written"""

    retry = Retry.AGAIN


class NoteRefused(SealError):
    """this is no note signed by the expected key, or it was altered"""


class MessageUnreadable(ContactSyncError):
    """a message is not what this version writes; run workers of one version"""


class PageUnreadable(ContactSyncError):
    """a page's body is not what this version writes; run workers of one version, and the next pass fetches it anew"""


class ProcessEnded(ContactSyncError):
    """a process of the embedded stack ended by itself; its log says why"""


class ConnectionPaused(ContactSyncError):
    """the connection is paused; `contactsync connection resume` lets it go on"""

    exit_code = 10


class StillUnderWay(ContactSyncError):
    """the pass is still under way; it goes on without being watched, and `contactsync status` shows it"""

    exit_code = 11
    retry = Retry.AGAIN


class TenantDisabled(ContactSyncError):
    """the tenant is disabled, since it is being offboarded or was; `contactsync tenant offboard --status` shows it"""

    exit_code = 12


class SourceError(ContactSyncError):
    """the source failed"""

    exit_code = 8


class SourceUnavailable(SourceError):
    """the source does not answer; it is tried again"""

    retry = Retry.AGAIN


class SourceThrottled(SourceError):
    """the source asks for patience; it is tried again when it allows"""

    retry = Retry.AFTER

    def __init__(self, message: str | None = None, *, after_seconds: float) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class SourceAddressWrong(SourceError):
    """there is no address book of this kind at the address; check the URL"""


class SourceMisbehaved(SourceError):
    """the source's answer is cut off or is not what its protocol says; it is tried again"""

    retry = Retry.AGAIN


class AddressForbidden(SourceError):
    """the source's address is inside a network that connections may not reach; an operator may allow it by setting"""


class SourceLoops(SourceError):
    """the source's pages do not come to an end; nothing is deleted because of it. Mend the source, then resume"""


class CursorExpired(SourceError):
    """the source no longer knows the cursor; a complete listing starts"""


class CredentialsRejected(SourceError):
    """the source refused the credentials; renew them, then resume the connection"""

    exit_code = 9


class SecretUnavailable(SourceError):
    """the secret that is referred to is not there; put it back and the work goes on"""

    exit_code = 9
    retry = Retry.AGAIN
