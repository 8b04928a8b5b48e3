"""The vCard reader: versions, producers' quirks, the allow-list, and what it refuses."""

import pytest
from tests.unit.contacts.cards import ALL, card, read

from contactsync.activities.contacts.contact import (
    DEFAULT_FIELDS,
    Address,
    Contact,
    EmailAddress,
    Field,
    Name,
    NameComponent,
    OnlineService,
    Organization,
    Phone,
    Title,
)
from contactsync.activities.contacts.limits import MAX_CARD_BYTES, MAX_READ_CHARS
from contactsync.activities.contacts.quarantine import QuarantineReason, UnreadableContact
from contactsync.activities.contacts.vcard import parse_vcard


def _components(*lines: str, version: str = "3.0") -> list[tuple[str, str]]:
    name = read(*lines, version=version).name
    return [(part.kind, part.value) for part in name.components] if name else []


@pytest.mark.parametrize(
    ("version", "line", "expected"),
    [
        ("3.0", "N:Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.", "Stevenson|John|Philip|Paul|Dr.|M.D.|Jr."),
        (
            "4.0",
            "N:Stevenson;John;Philip,Paul;Dr.;Jr.,M.D.,A.C.P.;;Jr.",
            "Stevenson|John|Philip|Paul|Dr.|M.D.|A.C.P.|Jr.",
        ),
        ("4.0", "N:Rivera,Barrientos;Diego;;;;Barrientos;", "Rivera|Diego|Barrientos"),
        ("2.1", "N:Doe;John;Richter,James", "Doe|John|Richter,James"),
        ("3.0", "N:van der\\, Berg;An\\;na", "van der, Berg|An;na"),
        ("3.0", "N:Madonna", "Madonna"),
        ("3.0", "N:;;;;", ""),
    ],
)
def test_n_in_all_styles(version: str, line: str, expected: str) -> None:
    """N's components in order, lists where the version has them, short and empty ones too."""
    assert "|".join(value for _, value in _components(line, version=version)) == expected


def test_generation_and_second_surname_are_told_once() -> None:
    """RFC 9554 writes them twice for older readers; here they stand once, by their kind."""
    parts = _components("N:Rivera,Barrientos;Diego;;;Jr.,M.D.;Barrientos;Jr.", version="4.0")
    expected = [("surname", "Rivera"), ("given", "Diego"), ("credential", "M.D.")]
    assert [*expected, ("surname2", "Barrientos"), ("generation", "Jr.")] == parts


def test_alternatives_and_phonetic_names_are_passed_over() -> None:
    """Of several languages or scripts the first stands for all (RFC 6350 §5.4)."""
    assert read("N;PHONETIC=x-plain:smith;jon", "N:Smith;John", version="4.0") == read("N:Smith;John")
    contact = read(
        "N;ALTID=1;LANGUAGE=zh-Hant:孫;中山;文,逸仙;;",
        "N;ALTID=1;PHONETIC=jyut;SCRIPT=Latn;LANGUAGE=yue:syun1;zung1saan1;man4,jat6sin1;;",
        "TITLE;ALTID=1;LANGUAGE=en:Boss",
        "TITLE;ALTID=1;LANGUAGE=fr:Patron",
        "TITLE:Baker",
        version="4.0",
    )
    assert contact.name == Name(
        components=(
            NameComponent(kind="surname", value="孫"),
            NameComponent(kind="given", value="中山"),
            NameComponent(kind="given2", value="文"),
            NameComponent(kind="given2", value="逸仙"),
        )
    )
    assert contact.titles == (Title(name="Boss"), Title(name="Baker"))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("EMAIL;TYPE=INTERNET,WORK,PREF:a@b.example", EmailAddress(address="a@b.example", contexts=("work",), pref=1)),
        (
            "EMAIL;type=INTERNET;type=HOME;type=pref:a@b.example",
            EmailAddress(address="a@b.example", contexts=("private",), pref=1),
        ),
        ("EMAIL;PREF=7;TYPE=work:a@b.example", EmailAddress(address="a@b.example", contexts=("work",), pref=7)),
        ("EMAIL;PREF=0:a@b.example", EmailAddress(address="a@b.example")),
        ("EMAIL;PREF=x:a@b.example", EmailAddress(address="a@b.example")),
        ("EMAIL;PREF;INTERNET:a@b.example", EmailAddress(address="a@b.example", pref=1)),
        ('email;Type="work,home":a@b.example', EmailAddress(address="a@b.example", contexts=("work", "private"))),
        ('EMAIL;X-NOTE="a:b;c=d,e":a@b.example', EmailAddress(address="a@b.example")),
        ("EMAIL;TYPE==;;:a@b.example", EmailAddress(address="a@b.example")),
    ],
)
def test_contexts_and_preferences_in_all_styles(line: str, expected: EmailAddress) -> None:
    """TYPE as list, repeated, quoted, bare, in any case; preference as number or as type; odd parameters do no harm."""
    assert read(line).emails == (expected,)


def test_labels() -> None:
    """Labels of the user's are kept; Apple's built-in ones that say what a TYPE says become that."""
    contact = read(
        "item1.TEL:+4930111",
        "item1.X-ABLabel:Büro",
        "item2.TEL:+4930222",
        "item2.X-ABLabel:_$!<Work>!$_",
        "item3.TEL:+4930333",
        "item3.X-ABLabel:_$!<Mobile>!$_",
        "item4.EMAIL;TYPE=WORK:a@b.example",
        "item4.X-ABLabel:",
    )
    assert contact.phones == (
        Phone(number="+4930111", label="Büro"),
        Phone(number="+4930222", contexts=("work",)),
        Phone(number="+4930333", features=("mobile",)),
    )
    assert contact.emails == (EmailAddress(address="a@b.example", contexts=("work",)),)


def test_groups_of_both_spellings() -> None:
    """A group is one by RFC 6350 or by Apple, with its members."""
    ours = read("KIND:group", "FN:Doe family", "MEMBER:urn:uuid:03a0e51f", version="4.0")
    apples = read("X-ADDRESSBOOKSERVER-KIND:group", "FN:Doe family", "X-ADDRESSBOOKSERVER-MEMBER:urn:uuid:03a0e51f")
    assert ours == apples == Contact(kind="group", name=Name(full="Doe family"), members=("urn:uuid:03a0e51f",))


def test_an_organization_is_no_person() -> None:
    """Apple's flag for a company makes the contact an organization."""
    assert read("X-ABShowAs:COMPANY", "ORG:Calc\\, Inc.;R&D;\\;;").kind == "org"
    assert read("ORG:Calc\\, Inc.;R&D;\\;;").organizations == (Organization(name="Calc, Inc.", units=("R&D", ";")),)


def test_addresses() -> None:
    """Box and suite stand before the street; country codes come from CC or Apple's X-ABADR."""
    contact = read(
        "item1.ADR;TYPE=HOME:Box 1;Suite 2;Street 3;Town;;12345;Land",
        "item1.X-ABADR:de",
        'ADR;CC=AT;LABEL="Gasse 1\\nWien":;;Gasse 1;Wien;;;',
        "item2.ADR:;;;;;;",
    )
    assert contact.addresses == (
        Address(
            street="Box 1, Suite 2, Street 3",
            locality="Town",
            postcode="12345",
            country="Land",
            country_code="DE",
            contexts=("private",),
        ),
        Address(street="Gasse 1", locality="Wien", country_code="AT", full="Gasse 1\nWien"),
    )


def test_online_services() -> None:
    """Messengers and profiles, however old the way of writing them."""
    contact = read(
        "IMPP;X-SERVICE-TYPE=Jabber;type=HOME:xmpp:ada@calc.example",
        "X-SKYPE:ada.l",
        "X-SOCIALPROFILE;type=twitter;x-user=ada:https://twitter.example/ada",
        "SOCIALPROFILE;SERVICE-TYPE=Mastodon:https://calc.example/@ada",
    )
    assert contact.online_services == (
        OnlineService(service="Jabber", uri="xmpp:ada@calc.example"),
        OnlineService(service="Skype", user="ada.l"),
        OnlineService(service="twitter", uri="https://twitter.example/ada", user="ada"),
        OnlineService(service="Mastodon", uri="https://calc.example/@ada"),
    )


@pytest.mark.parametrize(
    ("line", "date"),
    [
        ("BDAY:1980-03-22", "1980-03-22"),
        ("BDAY;VALUE=date:19800322", "1980-03-22"),
        ("BDAY:1980-03-22T00:00:00Z", "1980-03-22"),
        ("BDAY:--0322", "--03-22"),
        ("BDAY:--03-22", "--03-22"),
        ("BDAY:1980", "1980"),
        ("BDAY:1980-03", "1980-03"),
        ("BDAY:--0229", "--02-29"),
        ("BDAY;X-APPLE-OMIT-YEAR=1604:1604-03-22", "--03-22"),
        ("BDAY:0000-03-22", "--03-22"),
        ("BDAY:1980-02-30", None),
        ("BDAY:19960415T231000", "1996-04-15"),
        ("BDAY;VALUE=text:circa 1800", None),
        ("BDAY:---22", None),
        ("BDAY:١٩٨٠-٠٣-٢٢", None),
        ("BDAY:", None),
    ],
)
def test_birthdays(line: str, date: str | None) -> None:
    """Every form in use becomes one; what is no date is left out."""
    dates = read(line).anniversaries
    assert [birthday.date for birthday in dates] == ([date] if date else [])


@pytest.mark.parametrize(
    ("charset", "encoded"),
    [
        ("UTF-8", "=D0=98=D0=B2=D0=B0=D0=BD"),
        ("windows-1251", "=C8=E2=E0=ED"),
        ("KOI8-R", "=E9=D7=C1=CE"),
        ("iso-8859-5", "=B8=D2=D0=DD"),
    ],
)
def test_quoted_printable_in_any_character_set(charset: str, encoded: str) -> None:
    """vCard 2.1 says in which character set a value is."""
    contact = read(f"FN;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:{encoded}", version="2.1")
    assert contact.name == Name(full="Иван")


def test_raw_bytes_in_another_character_set() -> None:
    """Bytes that are not UTF-8 are read by their CHARSET, else as Windows' Latin; each line on its own."""
    text = card("FN;CHARSET=ISO-8859-2:@1", "NICKNAME:@2", "TITLE:Größe", version="2.1").encode()
    text = text.replace(b"@1", "Łukasz".encode("iso-8859-2")).replace(b"@2", "Jürgen".encode("latin-1"))
    contact = parse_vcard(text, ALL)
    assert contact.name == Name(full="Łukasz")
    assert contact.nicknames[0].name == "Jürgen"
    assert contact.titles == (Title(name="Größe"),)


@pytest.mark.parametrize("charset", ["unicode_escape", "zlib_codec", "rot13", "idna", "nonsense", ""])
def test_a_character_set_that_is_none_is_not_believed(charset: str) -> None:
    """Python's other codecs are not for cards to choose."""
    assert read(f"FN;CHARSET={charset};ENCODING=QUOTED-PRINTABLE:Ren=C3=A9", version="2.1").name == Name(full="René")


def test_folds_and_line_ends_of_all_kinds() -> None:
    """Folds inside characters, by space or tab, soft breaks, CRLF, LF or CR, UTF-16 and a byte order mark."""
    folded = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ren\u00e9e M\u00fcller\r\nEND:VCARD\r\n".encode()
    folded = folded.replace("é".encode(), b"\xc3\r\n \xa9").replace("ü".encode(), b"\xc3\n\t\xbc")
    expected = Contact(name=Name(full="Renée Müller"))
    assert parse_vcard(folded, ALL) == expected
    text = card("FN:Renée Müller")
    for encoded in (text.replace("\r\n", "\n"), text.replace("\r\n", "\r"), "\ufeff" + text):
        assert parse_vcard(encoded, ALL) == parse_vcard(encoded.encode(), ALL) == expected
    assert parse_vcard(text.encode("utf-16"), ALL) == expected
    assert read("FN;ENCODING=QUOTED-PRINTABLE:Ren=C3=\r\n=A9e M=C3=BC=\r\nller", version="2.1") == expected
    assert read("FN;ENCODING=QUOTED-PRINTABLE:Ren=C3=A9e M=C3=BCller=", version="2.1") == expected
    assert read("URL:https://a.example/?q=\r\n 1").links[0].uri == "https://a.example/?q=1"


def test_escapes() -> None:
    """Backslash escapes of all versions; in 2.1 a path stays a path."""
    assert read("NOTE:a\\, b\\; c\\nd\\Ne \\\\n \\: \\x").notes[0].note == "a, b; c\nd\ne \\n : \\x"
    assert read("NOTE:C:\\new\\; \\\\", version="2.1").notes[0].note == "C:\\new; \\"


def test_a_card_inside_the_card_is_not_the_card() -> None:
    """vCard 2.1 nests an assistant's card; its lines are not the contact's."""
    contact = read("FN:Boss", "AGENT:", "BEGIN:VCARD", "FN:Agent", "EMAIL:agent@b.example", "END:VCARD", version="2.1")
    assert contact == Contact(name=Name(full="Boss"))


@pytest.mark.parametrize(
    "broken",
    [
        "TITLE without a colon",
        "=20=20",
        "@@@:x",
        "NO TE:x",
        "PHOTO;ENCODING=b:@@not base64@@",
        "PHOTO;ENCODING=QUOTED-PRINTABLE:=ZZ",
        "TEL;=;;X:",
        'X-A;B="unfinished:x',
        ":",
        ";;;:::",
        "REV:not a date",
        "BDAY:not a date",
        "GEO;X:;",
        "KIND:nonsense",
        "NOTE;ENCODING=BASE64:%%%%=",
        "item1.:x",
        ".FN:x",
        "\0\0:\0",
    ],
)
def test_p11_a_broken_line_does_not_lose_the_card(broken: str) -> None:
    """P11: what cannot be read and is not needed is passed over; the person is kept."""
    contact = read("UID:u1", broken, "EMAIL:ada@calc.example", fields=DEFAULT_FIELDS)
    assert contact.uid == "u1"
    assert contact.emails == (EmailAddress(address="ada@calc.example"),)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Not Found",
        "<html><body>Log in</body></html>",
        "BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n",
        "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Ada",
        "FN:Ada\r\nEND:VCARD\r\n",
        card("FN:Ada") + card("FN:Bob"),
        card("FN:Ada") + "END:VCARD\r\n",
        card("BEGIN:VCARD", "FN:Ada"),
    ],
)
def test_p11_what_is_no_whole_card_is_refused_with_a_reason(text: str) -> None:
    """P11: no card, half a card or two cards are refused, by a reason and not by a text that could hold a value."""
    for form in (text, text.encode()):
        with pytest.raises(UnreadableContact) as refusal:
            parse_vcard(form, ALL)
        assert refusal.value.reason is QuarantineReason.UNREADABLE
        assert "Ada" not in str(refusal.value)
        assert refusal.value.__cause__ is None


def test_only_what_is_allowed_is_kept() -> None:
    """Each field alone brings its own properties and no other; uid and kind always come."""
    lines = (
        "UID:u1",
        "FN:Ada",
        "N:L;A",
        "NICKNAME:Nick",
        "ORG:O",
        "TITLE:T",
        "EMAIL:a@b.example",
        "TEL:123",
        "ADR:;;S;;;;",
        "IMPP:xmpp:a",
        "URL:https://a.example",
        "BDAY:1980",
        "NOTE:n",
        "CATEGORIES:k",
        "MEMBER:m",
        "PHOTO;ENCODING=b:AAAA",
        "KEY:k",
    )
    everything = read(*lines)
    for field in Field:
        attribute = "online_services" if field is Field.ONLINE_SERVICES else field.value
        value = getattr(everything, attribute)
        assert value
        expected = Contact.model_validate({"uid": "u1", attribute: value})
        assert expected == read(*lines, fields=frozenset({field}))


def test_p20_a_large_photo_or_note_that_is_not_kept_costs_nothing() -> None:
    """P20: megabytes of what the allow-list drops do not stand in the way of the rest."""
    contact = read(f"NOTE:{'x' * 5_000_000}", f"PHOTO:{'A' * 5_000_000}", "EMAIL:a@b.example", fields=DEFAULT_FIELDS)
    assert len(contact.model_dump_json()) < 500


def test_p20_a_large_value_is_cut_and_many_make_the_card_too_large() -> None:
    """P20: what is read of one contact is bounded, value by value and in all."""
    assert len(read(f"NOTE:{'x' * 5_000_000}").notes[0].note) == MAX_READ_CHARS
    for text in (card(*[f"NOTE:{'x' * 60_000}"] * 5), "x" * (MAX_CARD_BYTES + 1)):
        with pytest.raises(UnreadableContact) as refusal:
            parse_vcard(text, ALL)
        assert refusal.value.reason is QuarantineReason.TOO_LARGE
