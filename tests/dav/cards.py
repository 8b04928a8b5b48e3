"""Cards to put on servers. The people are made up."""


def card(number: int, *lines: str, version: str = "3.0", name: str | None = None, uid: str | None = None) -> str:
    """A vCard; `lines` are added to it."""
    full = name or f"Person {number}"
    body = (
        f"VERSION:{version}",
        f"UID:{uid or f'urn:uuid:00000000-0000-4000-8000-{number:012}'}",
        f"FN:{full}",
        f"N:{full};;;;",
        f"EMAIL:person{number}@people.example",
        *lines,
    )
    return "\r\n".join(("BEGIN:VCARD", *body, "END:VCARD", ""))


def too_large(number: int) -> str:
    """A vCard that every server takes and that is past the bounds of a contact."""
    return card(number, *(f"ORG:{letter * 60_000}" for letter in "abcdef"))


def file_name(number: int) -> str:
    """The name a card is put under."""
    return f"card-{number:03}.vcf"
