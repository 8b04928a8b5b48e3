"""vCards as programs exported them (tests/vectors/vcards)."""

from tests.unit.contacts.cards import read_exported

from contactsync.activities.contacts.contact import (
    Address,
    Anniversary,
    EmailAddress,
    Link,
    Name,
    NameComponent,
    Nickname,
    OnlineService,
    Organization,
    Phone,
    Title,
)


def test_rfc6350_example() -> None:
    """The RFC's own vCard 4.0: quoted TYPE lists, tel URIs, a birthday without a year."""
    (contact,) = read_exported("rfc6350-example.vcf")
    assert contact.name == Name(
        full="Simon Perreault",
        components=(
            NameComponent(kind="surname", value="Perreault"),
            NameComponent(kind="given", value="Simon"),
            NameComponent(kind="credential", value="ing. jr"),
            NameComponent(kind="credential", value="M.Sc."),
        ),
    )
    assert contact.phones == (
        Phone(number="+1-418-656-9254;ext=102", features=("voice",), contexts=("work",), pref=1),
        Phone(number="+1-418-262-6501", features=("mobile", "voice", "video", "text"), contexts=("work",)),
    )
    assert contact.addresses == (
        Address(
            street="Suite D2-630, 2875 Laurier",
            locality="Quebec",
            region="QC",
            postcode="G1V 2M2",
            country="Canada",
            contexts=("work",),
        ),
    )
    assert contact.anniversaries == (
        Anniversary(kind="birth", date="--02-03"),
        Anniversary(kind="wedding", date="2009-08-08"),
    )
    assert contact.organizations == (Organization(name="Viagenie"),)
    assert contact.emails == (EmailAddress(address="simon.perreault@viagenie.ca", contexts=("work",)),)


def test_iphone() -> None:
    """Apple's groups carry labels, built-in and the user's; the photo is not looked at."""
    (contact,) = read_exported("John_Doe_IPHONE.photo-replaced.vcf")
    assert contact.emails == (EmailAddress(address="john.doe@ibm.com", pref=1),)
    assert contact.phones == (
        Phone(number="905-555-1234", features=("mobile", "voice"), pref=1),
        Phone(number="905-666-1234", features=("voice",), contexts=("private",)),
        Phone(number="905-777-1234", features=("voice",), contexts=("work",)),
        Phone(number="905-888-1234", features=("fax",), contexts=("private",)),
        Phone(number="905-999-1234", features=("fax",), contexts=("work",)),
        Phone(number="905-111-1234", features=("pager",)),
        Phone(number="905-222-1234", label="AssistantPhone"),
    )
    assert contact.links == (Link(uri="http://www.ibm.com", label="HomePage"),)
    assert contact.nicknames == (Nickname(name="Johny"),)
    assert contact.organizations == (Organization(name="IBM", units=("Accounting",)),)
    assert "PHOTO" not in contact.model_dump_json()


def test_outlook() -> None:
    """vCard 2.1 with bare parameters, quoted-printable and commas that separate nothing."""
    (contact,) = read_exported("John_Doe_MS_OUTLOOK.vcf")
    assert contact.name is not None
    assert NameComponent(kind="given2", value="Richter,James") in contact.name.components
    assert NameComponent(kind="generation", value="Sr.") in contact.name.components
    assert contact.titles == (Title(name="Money Counter"), Title(name="Counting Money", kind="role"))
    assert contact.phones == (
        Phone(number="(905) 555-1234", features=("voice",), contexts=("work",)),
        Phone(number="(905) 666-1234", features=("voice",), contexts=("private",)),
    )
    assert contact.online_services == (OnlineService(user="johny5@aol.com"),)
    assert contact.anniversaries == (
        Anniversary(kind="birth", date="1980-03-22"),
        Anniversary(kind="wedding", date="2011-01-13"),
    )


def test_outlook_2003() -> None:
    """Soft line breaks, an unescaped comma in a company, a broken FBURL, and a KEY that ends in blank lines."""
    (contact,) = read_exported("outlook-2003.vcf")
    assert contact.organizations == (Organization(name="Company, The", units=("TheDepartment",)),)
    words = " ".join(contact.notes[0].note.split())
    assert words == "This is the note field!! Second line Third line is empty"
    assert contact.emails == (EmailAddress(address="jdoe@hotmail.com", pref=1),)


def test_gmail() -> None:
    """Google escapes colons and quotes, labels dates, and writes phonetic names that are passed over."""
    (contact,) = read_exported("John_Doe_GMAIL.vcf")
    assert contact.links == (Link(uri="http://www.ibm.com"),)
    assert '"AS IS"' in contact.notes[0].note
    assert contact.anniversaries == (
        Anniversary(kind="birth", date="1980-03-22"),
        Anniversary(kind="wedding", date="1975-03-01"),
    )
    assert "Dow" not in contact.model_dump_json()
    (other,) = read_exported("gmail-single.vcf")
    assert other.phones[1] == Phone(number="555 555 2222", label="GRAND_CENTRAL")


def test_evolution() -> None:
    """Parameters of the producer's own with quoted values do not hide what the line says."""
    (contact,) = read_exported("John_Doe_EVOLUTION.vcf")
    assert contact.uid == "477343c8e6bf375a9bac1f96a5000837"
    assert contact.phones == (
        Phone(number="905-666-1234", features=("mobile",)),
        Phone(number="905-555-1234", features=("voice",), contexts=("work",)),
    )
    assert contact.organizations == (Organization(name="IBM", units=("Accounting", "Dungeon")),)
    assert contact.keywords == ("VIP",)


def test_android() -> None:
    """Six cards, two of which a stricter reader loses for a cut-off photo and for one stray byte."""
    contacts = read_exported("John_Doe_ANDROID.vcf")
    assert [contact.emails[0].address if contact.emails else "" for contact in contacts] == [
        "john.doe@company.com",
        "jane.doe@company.com",
        "",
        "",
        "bob@company.com",
        "henry@company.com",
    ]
    assert contacts[3].name is not None
    assert contacts[3].name.full == " ".join("Ñ" * 11)
    assert contacts[5].organizations[1].name.startswith("ÑÑÑ")
