"""Phone numbers, in E.164 where that can be known."""

import re
import unicodedata
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberFormat

from contactsync.activities.sanitizing.phone_plans import plain_e164

_EXTENSION_WORD: Final = r"(?:;ext=|extension|extn?\.?|ext\.?|x\.?|доб\.?|anexo|int\.?)"
_NUMBER_ONLY: Final = re.compile(
    rf"[\W\d_]*(?:;phone-context=[+\d.-]+)?[\W\d_]*(?:{_EXTENSION_WORD}[\W\d_]*)?", re.IGNORECASE
)
_DIGIT: Final = re.compile(r"\d")
_MIN_DIGITS: Final = 3
_E164_CHARS: Final = 16  # ITU-T E.164: fifteen digits, and the plus
_MAX_CHARS: Final = 128

phonenumbers.enable_pattern_cache()  # a worker meets numbers from everywhere


class CleanNumber(NamedTuple):
    """`number` in E.164 if `e164`, else the text as it was."""

    number: str
    extension: str
    e164: bool


def is_region(code: str) -> bool:
    """Whether the code is one of the regions (ISO 3166-1 alpha-2, upper case) that numbers are known of."""
    return code in phonenumbers.SUPPORTED_REGIONS


def clean_phone(text: str, default_region: str) -> CleanNumber | None:
    """The number in E.164, or else as it was; None if it has fewer than three digits.

    A number in international form (`+…`) becomes E.164 if its length is possible: its writer named the country, and
    numbering plans change faster than libraries. A national one is read in `default_region` (empty: none) and must
    be valid there: a wrong guess would be somebody else's number. Text with other words in it is never guessed at.
    """
    plain = plain_e164(text, default_region)
    return CleanNumber(plain, "", e164=True) if plain else parsed_phone(text, default_region)


def parsed_phone(text: str, default_region: str) -> CleanNumber | None:
    """What `clean_phone` answers, by the phonenumbers library alone."""
    text = text.strip()
    if text[:4].lower() == "tel:":
        text = text[4:].strip()
    if len(_DIGIT.findall(text)) < _MIN_DIGITS:
        return None
    return _e164(text, default_region) or CleanNumber(text, "", e164=False)


def stored_phone(text: str, extension: str, default_region: str) -> CleanNumber | None:
    """As `clean_phone`, with the extension that is given apart; what is no E.164 number holds it in its text."""
    clean = clean_phone(text, default_region)
    if clean is None or not (clean.extension or extension):
        return clean
    digits = clean.extension or clean_extension(extension)
    if clean.e164:
        return CleanNumber(clean.number, digits, e164=True)
    return CleanNumber(f"{clean.number} ext. {digits}" if digits else clean.number, "", e164=False)


def clean_extension(text: str) -> str:
    """The digits of an extension, at most eleven (what phone systems use is shorter)."""
    return "".join(str(unicodedata.decimal(character)) for character in text if character.isdecimal())[:11]


def _e164(text: str, default_region: str) -> CleanNumber | None:
    if len(text) > _MAX_CHARS or not _NUMBER_ONLY.fullmatch(text):
        return None
    try:
        number = phonenumbers.parse(text, default_region or None)
    except NumberParseException:
        return None
    international = text[0] in "+\N{FULLWIDTH PLUS SIGN}"
    if not (phonenumbers.is_possible_number(number) if international else phonenumbers.is_valid_number(number)):
        return None
    e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
    return CleanNumber(e164, clean_extension(number.extension or ""), e164=True) if len(e164) <= _E164_CHARS else None
