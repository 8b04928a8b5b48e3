"""Clients of AWS through boto3, the extra `aws`."""

from typing import Final, Protocol, cast

from contactsync.codecs.keys.endpoints import checked_endpoint
from contactsync.codecs.quiet import silence_aws
from contactsync.errors import SettingsError

CONNECT_SECONDS: Final = 3.0
READ_SECONDS: Final = 5.0


class _Session(Protocol):
    def client(self, service_name: str, **how: object) -> object: ...


def aws_client(service: str, region: str | None, endpoint: str | None) -> object:
    """boto3's client of a service, which tries nothing twice; its calls block. Credentials come as boto3 finds them.

    Raises:
        SettingsError: boto3 is not installed, there is no region, or the endpoint is not usable.
    """
    address = None if endpoint is None else checked_endpoint(endpoint, "AWS")
    try:
        import boto3  # noqa: PLC0415 - an extra
        from botocore.config import Config  # noqa: PLC0415
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415
    except ImportError:
        raise SettingsError("boto3 is not installed; AWS needs: pip install 'contactsync[aws]'") from None
    silence_aws()
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries={"total_max_attempts": 1})
    try:
        # its types have one overload for each of AWS's services
        session = cast("_Session", boto3.session.Session())
        return session.client(service, region_name=region, endpoint_url=address, config=config)
    except (BotoCoreError, ValueError):
        raise SettingsError("AWS needs a region that exists; set CONTACTSYNC_AWS_REGION") from None
