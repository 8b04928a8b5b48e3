"""Resolves the references it is given, with all logs at DEBUG, and shows whatever may be shown of it.

Prints for each reference how long the secret is, or the code of the error.
"""

import asyncio
import logging
import sys

from contactsync.activities.sources.replica import Replica
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.rest_signing import Signer
from contactsync.activities.sources.source import Credentials
from contactsync.errors import ContactSyncError
from contactsync.workers.logs import configure_logging
from contactsync.workers.setting_secrets import opened_secrets
from contactsync.workers.settings import load_settings

REST = {
    "url": "https://api.example/",
    "auth": {"kind": "header", "name": "x-key"},
    "list": {"path": "c", "records": "items", "pagination": {"kind": "none"}},
    "fields": {"id": "id"},
}


async def main(references: list[str]) -> None:
    """Resolve and show."""
    settings = load_settings()
    log = logging.getLogger("someone.else")
    async with opened_secrets(settings) as secrets:
        for reference in references:
            try:
                secret = await secrets.resolve(reference)
            except ContactSyncError as error:
                log.exception("refused")
                sys.stdout.write(f"{error.code} {error} {error!r} {error.__cause__!r}\n")
                continue
            signer = Signer(RestSettings.model_validate(REST), secret, Replica(secrets=secrets))
            shown = [repr(each) for each in (Credentials("someone", secret), signer, secrets, settings)]
            log.warning("resolved %s", shown)
            sys.stdout.write(f"{len(secret)} {shown}\n")


if __name__ == "__main__":
    configure_logging("json", "DEBUG")
    for name in ("botocore", "urllib3", "httpx", "httpcore"):  # botocore logs the whole answer
        logging.getLogger(name).setLevel(logging.DEBUG)
    asyncio.run(main(sys.argv[1:]))
