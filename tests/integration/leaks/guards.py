"""What the code is without one of its guards: each entry takes one away, for as long as a test runs."""

import logging
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import ClientConfig, OutboundInterceptor
from temporalio.common import HeaderCodecBehavior
from temporalio.converter import DefaultFailureConverter
from tests.integration.leaks.table import Guard

from contactsync.codecs.payloads import failures, forms
from contactsync.codecs.payloads.client_guard import ClientGuard
from contactsync.codecs.payloads.client_plugin import SealingPlugin
from contactsync.codecs.payloads.codec import SealingCodec
from contactsync.codecs.payloads.failures import SealedFailureConverter

Mutation = Callable[[pytest.MonkeyPatch], None]


def _form(*names: str) -> Mutation:
    def anything(*_: object) -> None:
        return

    def taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
        for name in names:
            monkeypatch.setattr(forms, name, anything)

    return taken_away


def _no_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    async def as_it_is(_self: SealingCodec, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    monkeypatch.setattr(SealingCodec, "encode", as_it_is)
    monkeypatch.setattr(SealingCodec, "decode", as_it_is)


def _no_header_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    configure = SealingPlugin.configure_client

    def without(self: SealingPlugin, config: ClientConfig) -> ClientConfig:
        made = configure(self, config)
        made["header_codec_behavior"] = HeaderCodecBehavior.NO_CODEC
        return made

    monkeypatch.setattr(SealingPlugin, "configure_client", without)


def _plain_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    def init(self: SealedFailureConverter) -> None:
        DefaultFailureConverter.__init__(self)

    monkeypatch.setattr(SealedFailureConverter, "__init__", init)


def _any_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _plain_failures(monkeypatch)
    monkeypatch.setattr(failures, "as_failure_error", _as_it_is)


def _as_it_is(error: BaseException) -> BaseException:
    return error


def _codec_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SealingCodec, "encode", SealingCodec._sealed)  # pyright: ignore[reportPrivateUsage]  # what it guards


def _identity(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(_self: SealingPlugin, config: Any, next: Any) -> Any:  # noqa: A002
        return next(config)

    monkeypatch.setattr(SealingPlugin, "connect_service_client", connect)


def _without_workflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ClientGuard, "start_activity", OutboundInterceptor.start_activity)


def _plain_log(monkeypatch: pytest.MonkeyPatch) -> None:
    def configure(_log_format: str, _level: str) -> None:
        logging.getLogger().handlers[:] = [logging.StreamHandler(sys.stderr)]
        logging.getLogger().setLevel(logging.DEBUG)

    monkeypatch.setattr("tests.integration.leaks.ground.configure_logging", configure)


MUTATIONS: Final[Mapping[Guard, Mutation]] = MappingProxyType(
    {
        Guard.CODEC: _no_codec,
        Guard.HEADERS: _no_header_codec,
        Guard.FAILURE_TEXT: _plain_failures,
        Guard.FAILURE_TYPES: _any_error,
        Guard.CODEC_ERRORS: _codec_speaks,
        Guard.IDS: _form("check_workflow_id"),
        Guard.NAMES: _form("check_name"),
        Guard.KEYS: _form("check_names"),
        Guard.REASONS: _form("check_reason"),
        Guard.QUEUES: _form("check_task_queue"),
        Guard.ATTRIBUTES: _form("check_attributes"),
        Guard.FAIRNESS: _form("check_priority"),
        Guard.RETRIES: _form("check_retries"),
        Guard.UPDATE_IDS: _form("check_update_id"),
        Guard.UNUSED: _form("check_absent"),
        Guard.NO_TENANT: _without_workflow,
        Guard.IDENTITY: _identity,
        Guard.LOGS: _plain_log,
    }
)
