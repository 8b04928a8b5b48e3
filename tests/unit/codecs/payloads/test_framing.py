"""Framed messages and the payload converter."""

import traceback
from uuid import UUID, uuid4

import pytest
from pydantic import BaseModel
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from contactsync.activities.messages import CleanPage, OpenPass, Page, PageHead, PassTicket
from contactsync.codecs.envelope.compression import compress
from contactsync.codecs.payloads.converter import MessageConverter
from contactsync.codecs.payloads.framing import ENCODING, Framed, join_frame, split_frame
from contactsync.errors import MessageUnreadable

PLANTED = "planted.person@example.org"


class LoudHead(BaseModel):
    """A head whose errors quote what they were given, and that needs nothing."""

    epoch: int = 0


class LoudPage(Framed[LoudHead]):
    """A page with such a head."""


def head() -> PageHead:
    """A page's head with a cursor that is no text."""
    return PageHead(
        tenant_id=uuid4(),
        connection_id=uuid4(),
        epoch=1,
        page=2,
        cursor=b"\xff\x00\x80",
        done=False,
        full=True,
        generation=3,
        changes=4,
        downloaded=5,
    )


def texts_of(error: BaseException) -> str:
    """Everything that logging the error would print."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize("body", [b"", b"x", bytes(range(256)) * 1000])
@pytest.mark.parametrize("page_type", [Page, CleanPage])
def test_a_page_comes_back_as_it_was(page_type: type[Page | CleanPage], body: bytes) -> None:
    """Head and body survive, and the class is the one asked for."""
    page = page_type(head(), body)
    payload = MessageConverter().to_payload(page)
    assert payload.metadata["encoding"] == ENCODING.encode()
    assert MessageConverter().from_payload(payload, page_type) == page


def test_a_generic_alias_serves_as_a_hint() -> None:
    """`Framed[PageHead]` itself can be asked for."""
    framed = Framed(head(), b"body")
    converter = MessageConverter()
    alias: type[Framed[PageHead]] = Framed[PageHead]
    assert converter.from_payloads([converter.to_payload(framed)], [alias]) == [framed]


def test_bytes_in_messages_survive() -> None:
    """A cursor that is no text travels in a pydantic message."""
    ids = {"tenant_id": uuid4(), "connection_id": uuid4(), "pass_id": uuid4()}
    ticket = PassTicket.model_validate({**ids, "epoch": 1, "cursor": b"\xff\xfe"})
    converter = MessageConverter()
    assert converter.from_payload(converter.to_payload(ticket), PassTicket) == ticket


def test_other_values_are_converted_as_pydantic_does() -> None:
    """None, bytes, plain values and raw payloads go the usual way."""
    converter = MessageConverter()
    for value, hint in [(None, type(None)), (b"\xff", bytes), ({"a": [1, 2]}, dict), (uuid4(), UUID)]:
        assert converter.from_payload(converter.to_payload(value), hint) == value
    raw = RawValue(Payload(data=b"raw"))
    assert converter.to_payload(raw) == raw.payload


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",
        b"\x00\x00\x00\x05{}",
        b"\xff\xff\xff\xff{}",
        join_frame(b"{}", b""),
        join_frame(f'{{"epoch":"{PLANTED}"}}'.encode(), b""),
        join_frame(PLANTED.encode(), b""),
    ],
)
def test_a_broken_frame_is_refused_without_its_content(data: bytes) -> None:
    """A frame that is cut off or has a wrong head is unreadable, and the error shows nothing of it."""
    payload = Payload(metadata={"encoding": ENCODING.encode()}, data=data)
    with pytest.raises(MessageUnreadable) as caught:
        MessageConverter().from_payload(payload, Page)
    assert PLANTED not in texts_of(caught.value)


def test_p24_a_wrong_head_is_refused_without_its_content() -> None:
    """Whatever the head's own model would say of it, our error says nothing and hangs on nothing."""
    data = join_frame(f'{{"epoch":"{PLANTED}"}}'.encode(), b"")
    with pytest.raises(MessageUnreadable) as caught:
        MessageConverter().from_payload(Payload(metadata={"encoding": ENCODING.encode()}, data=data), LoudPage)
    assert PLANTED not in texts_of(caught.value)


def test_a_frame_that_was_cut_off_is_refused() -> None:
    """A head shorter than announced is no head, even if what is left of it would do."""
    with pytest.raises(MessageUnreadable):
        split_frame(b"\x00\x00\x00\x05{}")


LONG = b'{"name": "Zaphod Beeblebrox"}, ' * 100
NOISE = bytes(value * value * 31 % 251 for value in range(900))


@pytest.mark.parametrize("body", [b"", b"x", LONG, NOISE, NOISE * 2, bytes(range(256)) * 1000], ids=len)
def test_a_frame_as_it_was_written_before_opens(body: bytes) -> None:
    """A body that was not packed, as histories hold them, comes back, and is carried on in today's form."""
    written = head().model_dump_json().encode()
    data = len(written).to_bytes(4, "big") + written + body
    payload = Payload(metadata={"encoding": ENCODING.encode()}, data=data)
    page = MessageConverter().from_payload(payload, Page)
    assert (page.body, split_frame(data)) == (body, (written, body))
    again = MessageConverter().to_payload(page)
    assert MessageConverter().from_payload(again, Page).body == body
    assert split_frame(again.data)[1] == body


def test_a_body_is_packed_once_and_carried_as_it_is() -> None:
    """What a workflow is given it hands on byte for byte; text is shorter in between, what gets no shorter is not."""
    page = Page(head(), LONG)
    payload = MessageConverter().to_payload(page)
    carried = MessageConverter().from_payload(payload, Page)
    assert carried.packed == page.packed
    assert MessageConverter().to_payload(carried).data == payload.data
    assert len(page.packed) < len(LONG) / 10
    assert Page(head(), NOISE).packed == b"\x00" + NOISE


@pytest.mark.parametrize(
    "packed",
    [
        b"",
        b"\x02",
        b"\x01",
        b"\x01\x00\x00\x00\x01x",
        b"\x01" + (32 * 1024 * 1024 + 1).to_bytes(4, "big") + compress(bytes(32 * 1024 * 1024 + 1)),
        b"\x01" + (3_099).to_bytes(4, "big") + Page(head(), LONG).packed[5:],
        Page(head(), LONG).packed[:-1],
        Page(head(), LONG).packed + b"\x00",
    ],
    ids=["empty", "unknown form", "no length", "no frame", "too long", "another length", "cut", "longer"],
)
def test_a_body_packed_in_another_way_is_refused(packed: bytes) -> None:
    """Whoever asks for the body learns that it is unreadable, and nothing of it; the head stays readable."""
    page = Page.carried(head(), packed)
    payload = MessageConverter().to_payload(page)
    with pytest.raises(MessageUnreadable):
        split_frame(payload.data)
    with pytest.raises(MessageUnreadable) as caught:
        _ = MessageConverter().from_payload(payload, Page).body
    assert "Zaphod" not in texts_of(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize("hint", [None, dict, BaseModel, Framed])
def test_a_frame_needs_a_framed_hint(hint: type | None) -> None:
    """Without a class that says what the head is, a frame stays unread."""
    payload = MessageConverter().to_payload(Page(head(), b""))
    with pytest.raises(MessageUnreadable):
        MessageConverter().from_payloads([payload], [hint] if hint else None)


def test_p24_a_json_message_that_does_not_validate_is_refused_without_its_content() -> None:
    """pydantic's own error would quote the value; ours does not, nor does anything in its chain."""
    payload = Payload(metadata={"encoding": b"json/plain"}, data=f'{{"pass_id":"{PLANTED}"}}'.encode())
    with pytest.raises(MessageUnreadable) as caught:
        MessageConverter().from_payload(payload, OpenPass)
    assert PLANTED not in texts_of(caught.value)


def test_p24_a_value_that_cannot_be_written_is_refused_without_its_content() -> None:
    """Neither the encoder's error nor its chain shows the value."""

    class Unwritable:
        def __repr__(self) -> str:
            return PLANTED

    unknown = type(PLANTED, (), {})()
    for value in ({"a": Unwritable()}, {"a": unknown}, {"a": "\ud800" + PLANTED}):
        with pytest.raises(MessageUnreadable) as caught:
            MessageConverter().to_payload(value)
        assert PLANTED not in texts_of(caught.value)
