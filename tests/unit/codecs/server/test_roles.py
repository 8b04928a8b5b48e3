"""What roles in a token entitle to."""

from uuid import UUID, uuid4

import pytest
from tests.unit.codecs.server.asking import OTHER, TENANT

from contactsync.codecs.server.roles import EVERYBODY, NOBODY, Grants, RoleRules, Tenants

ONE, BOTH = Tenants(frozenset({TENANT})), Tenants(frozenset({TENANT, OTHER}))
RULES = RoleRules()


@pytest.mark.parametrize(
    ("roles", "grants"),
    [
        (["operator"], Grants(masked=EVERYBODY)),
        ([f"operator:{TENANT}"], Grants(masked=ONE)),
        ([f"reader:{TENANT}"], Grants(masked=ONE, whole=ONE)),
        ([f"reader:{TENANT}", f"reader:{OTHER}"], Grants(masked=BOTH, whole=BOTH)),
        (["operator", f"reader:{TENANT}"], Grants(masked=Tenants(ONE.some, every=True), whole=ONE)),
        (["privacy"], Grants(masked=EVERYBODY, whole=EVERYBODY)),
        ([f"encoder:{TENANT}"], Grants(encode=ONE)),
        (["reader"], Grants()),
        (["encoder"], Grants()),
        ([f"privacy:{TENANT}"], Grants()),
        (["Operator", "operators", "operator ", "", "admin"], Grants()),
        (["reader:", "reader:*", "reader:all", f"reader:{TENANT}:x", f"reader:{{{TENANT}}}"], Grants()),
        ([f"reader:{TENANT.hex}", f"reader: {TENANT}", f"reader:urn:uuid:{TENANT}"], Grants()),
        ([5, None, ["operator"]], Grants()),
        (f"openid operator reader:{TENANT}", Grants(masked=Tenants(ONE.some, every=True), whole=ONE)),
        ({"operator": True}, Grants()),
        (None, Grants()),
        (True, Grants()),
    ],
    ids=str,
)
def test_roles(roles: object, grants: Grants) -> None:
    """Each role for itself; what is none counts for nothing, and nothing is guessed."""
    assert RULES.grants({"roles": roles}) == grants


def test_tenants_in_a_claim_of_their_own() -> None:
    """`reader` and `encoder` without a tenant stand for those; `operator` and `privacy` stand for every one."""
    claims = {"roles": ["reader", "encoder"], "tenants": [str(TENANT), "x", 5]}
    assert RULES.grants(claims) == Grants(ONE, ONE, ONE)
    assert RULES.grants({"roles": ["operator"], "tenants": [str(TENANT)]}) == Grants(EVERYBODY)


@pytest.mark.parametrize(
    ("name", "claims"),
    [
        ("groups", {"groups": ["cs-operator", "operator:x"]}),
        ("realm_access.roles", {"realm_access": {"roles": ["cs-operator"]}}),
        ("https://example.com/roles", {"https://example.com/roles": ["cs-operator"]}),
        ("scope", {"scope": "openid cs-operator"}),
    ],
)
def test_where_roles_stand(name: str, claims: dict[str, object]) -> None:
    """A claim's very name, or its path; only names with the prefix count."""
    rules = RoleRules(roles_claim=name, prefix="cs-")
    assert rules.grants(claims) == Grants(masked=EVERYBODY)
    assert rules.grants({"roles": ["cs-operator"]}) == Grants()
    assert rules.grants({"realm_access": ["cs-operator"], "groups": {"x": 1}, "scope": "operator"}) == Grants()


@pytest.mark.parametrize(
    ("claims", "strong"),
    [
        ({"acr": "gold", "amr": ["pwd", "mfa"]}, True),
        ({"acr": "silver", "amr": ["hwk"]}, True),
        ({"acr": "gold", "amr": ["pwd"]}, False),
        ({"acr": "bronze", "amr": ["mfa"]}, False),
        ({"acr": "gold"}, False),
        ({"amr": ["mfa"]}, False),
        ({"acr": {"gold": 1}, "amr": [["mfa"], "mfa"]}, False),
        ({"acr": "gold", "amr": [["mfa"], 5, None]}, False),
        ({}, False),
    ],
    ids=str,
)
def test_seeing_can_need_a_strong_sign_in(claims: dict[str, object], *, strong: bool) -> None:
    """With a weaker one nothing is seen; sealing, which programs do, needs none."""
    rules = RoleRules(acr=frozenset({"gold", "silver"}), amr=frozenset({"mfa", "hwk"}))
    grants = rules.grants({"roles": ["privacy", f"encoder:{TENANT}"], **claims})
    assert grants == (Grants(EVERYBODY, EVERYBODY, ONE) if strong else Grants(encode=ONE, weak=True))
    assert rules.grants({"roles": [f"encoder:{TENANT}"], **claims}) == Grants(encode=ONE)


def test_who_is_among_tenants() -> None:
    """Every one, some, or none."""
    assert uuid4() in EVERYBODY
    assert TENANT in ONE
    assert OTHER not in ONE
    assert UUID(int=0) not in NOBODY


def test_a_thousand_roles_are_enough() -> None:
    """More are not looked at."""
    assert RULES.grants({"roles": ["x"] * 1000 + ["privacy"]}) == Grants()
