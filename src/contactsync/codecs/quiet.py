"""Loggers of libraries that would print URLs, headers and bodies: account names, tokens, keys on their way to a KMS."""

import logging
from typing import Final

HTTP_LOGGERS: Final = (
    "httpx",
    "httpcore",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
)
AWS_LOGGERS: Final = ("boto3", "botocore", "urllib3")
"""The tops of their trees: what is logged below them goes through them."""


def silence_http() -> None:
    """Switch off httpx and what is below it, whatever the levels are."""
    for name in HTTP_LOGGERS:
        logging.getLogger(name).disabled = True


def silence_aws() -> None:
    """Let nothing that boto3 and what is below it log reach a handler, whatever the levels are."""
    for name in AWS_LOGGERS:
        logger = logging.getLogger(name)
        logger.propagate = False
        logger.handlers = [logging.NullHandler()]
