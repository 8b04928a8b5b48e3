"""Plain phone numbers in E.164 without parsing them: digits and usual separators, nothing to guess.

Each country's plan is taken from the phonenumbers library once; what a plan answers is what the library answers. It
answers for most numbers only: `None` says nothing, and the library has the word.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final

from phonenumbers import COUNTRY_CODE_TO_REGION_CODE, PhoneMetadata, PhoneNumberDesc, region_code_for_country_code

_SEPARATORS: Final = str.maketrans("", "", " ()./-")
_MAX_CHARS: Final = 41
_MAX_E164_CHARS: Final = 16  # ITU-T E.164: fifteen digits, and the plus
_NEVER: Final = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True)
class _Plan:
    """A country code's plan. `prefix`: what is taken off a national number's front; `valid`: numbers that exist;
    `international`: numbers in E.164 that have no such front, of so many characters as `sizes` has."""

    code: str
    prefix: re.Pattern[str]
    idd: re.Pattern[str]
    valid: re.Pattern[str]
    international: re.Pattern[str]
    sizes: frozenset[int]


def plain_e164(text: str, default_region: str) -> str | None:
    """The number in E.164 if it is written plainly: as `clean_phone` tells, without an extension."""
    if len(text) > _MAX_CHARS:
        return None
    number = text.replace(" ", "")
    if not number[1:].isdecimal():
        number = number.translate(_SEPARATORS)
    if text[:1] == "+":
        return _international(number)
    begins_plainly = "0" <= text[:1] <= "9" or text[:1] == "("
    return _national(number, default_region) if default_region and begins_plainly else None


def _international(number: str) -> str | None:
    begin = number[1:4]
    plan = _plan_of(begin) if begin.isdecimal() else None
    return number if plan and len(number) in plan.sizes and plan.international.fullmatch(number) else None


def _national(digits: str, region: str) -> str | None:
    """The number, if a country code makes it one that is read again as it is."""
    plan = _plan_in(region)
    if plan is None or plan.idd.match(digits):
        return None
    prefix = plan.prefix.match(digits)
    number = digits[prefix.end() :] if prefix else digits
    return _international(f"+{plan.code}{number}") if plan.valid.fullmatch(number) else None


@cache
def _plan_of(digits: str) -> _Plan | None:
    """The plan of the country code that the digits begin with; a code is at most three digits, none begins another."""
    return next(
        (_plan(int(digits[:end])) for end in (1, 2, 3) if int(digits[:end]) in COUNTRY_CODE_TO_REGION_CODE), None
    )


@cache
def _plan_in(region: str) -> _Plan | None:
    """The plan of national numbers in a region: one that speaks for its country code, and takes off a plain prefix."""
    metadata = PhoneMetadata.metadata_for_region(region)
    code = metadata.country_code if metadata else None
    if metadata is None or code is None or region_code_for_country_code(code) != region:
        return None
    plan = _plan(code)
    transforms = metadata.national_prefix_transform_rule or plan.prefix.groups or metadata.leading_digits
    return None if transforms else plan


@cache
def _plan(code: int) -> _Plan:
    metadata = PhoneMetadata.metadata_for_region_or_calling_code(code, region_code_for_country_code(code))
    assert metadata is not None  # noqa: S101  # the code is the library's
    general = metadata.general_desc
    assert general is not None  # noqa: S101
    prefix = _pattern(metadata.national_prefix_for_parsing)
    front = f"+{code}"
    return _Plan(
        code=str(code),
        prefix=prefix,
        idd=_pattern(metadata.international_prefix),
        valid=_valid(general, _kinds(metadata)),
        international=re.compile(rf"{re.escape(front)}(?!{prefix.pattern})[0-9]+"),
        sizes=frozenset(range(_MAX_E164_CHARS + 1)).intersection(len(front) + n for n in general.possible_length),
    )


def _pattern(text: str | None) -> re.Pattern[str]:
    return re.compile(text) if text else _NEVER


def _kinds(metadata: PhoneMetadata) -> Iterable[PhoneNumberDesc | None]:
    return (
        metadata.fixed_line,
        metadata.mobile,
        metadata.toll_free,
        metadata.premium_rate,
        metadata.shared_cost,
        metadata.voip,
        metadata.personal_number,
        metadata.pager,
        metadata.uan,
        metadata.voicemail,
    )


def _valid(general: PhoneNumberDesc, kinds: Iterable[PhoneNumberDesc | None]) -> re.Pattern[str]:
    """National numbers that fit the general description and that of at least one kind."""
    known = [_described(kind) for kind in kinds if kind and kind.national_number_pattern]
    return re.compile(f"(?={_described(general)}$)(?:{'|'.join(known)})")


def _described(desc: PhoneNumberDesc) -> str:
    """Of digits, those that fit the pattern and are of a possible length."""
    lengths = "|".join(f".{{{length}}}" for length in desc.possible_length if length > 0)
    return f"(?:(?=(?:{lengths})$)(?:{desc.national_number_pattern}))" if lengths else "(?!)"
