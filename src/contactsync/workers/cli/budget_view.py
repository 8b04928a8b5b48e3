"""The budget of a connection's provider account, as `contactsync status` shows it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from contactsync.errors import KeysError, SealError, SettingsError
from contactsync.workers.cli.output import Json, shown

if TYPE_CHECKING:
    from contactsync.activities.messages import ConnectionRef
    from contactsync.activities.sources.limits import RequestLimits
    from contactsync.activities.store.budgets import BudgetState
    from contactsync.workers.bootstrap import Parts


@dataclass(frozen=True, slots=True)
class Budget:
    """What the account allows, and what is left of it."""

    limits: "RequestLimits"
    state: "BudgetState"

    @property
    def matters(self) -> bool:
        """Whether there is anything to tell: most accounts have no limits, and nobody waits."""
        state = self.state
        is_quiet = state.blocked_until is None and not (state.waiting or state.windows)
        return not (self.limits.are_none and is_quiet)


async def budget_of(parts: "Parts", ref: "ConnectionRef") -> Budget | None:
    """The account's budget; None where the settings, which name the account, cannot be opened or read here."""
    from contactsync.activities.sources.registry import account_of, limits_of
    from contactsync.activities.store.budgets import budget_account

    try:
        connection = await parts.directory.get_connection(ref.connection_id, ref.tenant_id)
        sealer = await parts.ring.tenant_sealer(ref.tenant_id)
        kind, settings = connection.kind, connection.settings
        account = budget_account(sealer, ref.connection_id, account_of(kind, settings))
        limits = limits_of(kind, settings)
    except (KeysError, SealError, SettingsError, ValueError):  # pydantic's refusal of settings is a ValueError
        return None
    return Budget(limits, await parts.budgets.of(ref, account, limits))


def budget_document(budget: Budget | None) -> dict[str, Json] | None:
    """The budget as JSON."""
    if budget is None:
        return None
    limits, state = budget.limits, budget.state
    return {
        "per_second": limits.per_second,
        "tokens": round(state.tokens, 3) if state.tokens is not None else None,
        "daily": limits.daily,
        "day": state.day.isoformat() if state.day else None,
        "day_requests": state.day_requests,
        "concurrent": limits.concurrent,
        "live": state.live,
        "backfill": state.backfill,
        "waiting": state.waiting,
        "tenant_fetches": state.tenant_fetches,
        "blocked_until": state.blocked_until,
        "windows": [
            {"name": each.name, "remaining": each.remaining, "allowed": each.allowed, "resets_at": each.resets_at}
            for each in state.windows
        ],
    }


def budget_text(budget: Budget | None) -> str | None:
    """The budget for people, a line for each thing that there is to say."""
    if budget is None or not budget.matters:
        return None
    limits, state = budget.limits, budget.state
    fetches = f"{state.live} live and {state.backfill} backfill fetches under way, {state.waiting} wait"
    lines = (
        _tokens(limits, state),
        f"{state.day_requests} of {limits.daily} requests today ({limits.daily_zone})" if limits.daily else None,
        f"{fetches} (at most {limits.concurrent})" if limits.concurrent else fetches,
        *(
            f"{each.remaining}{f' of {each.allowed}' if each.allowed else ''} left until {shown(each.resets_at)},"
            f" says the provider ({each.name})"
            for each in state.windows
        ),
        f"left alone until {shown(state.blocked_until)}, as the provider asked" if state.blocked_until else None,
    )
    return "\n".join(line for line in lines if line)


def _tokens(limits: "RequestLimits", state: "BudgetState") -> str | None:
    if limits.per_second is None:
        return None
    rate = f"{limits.per_second:g} requests a second"
    if state.tokens is None:
        return rate
    return f"{rate}, {f'{-state.tokens:.0f} too many sent' if state.tokens < 0 else f'{state.tokens:.0f} at once now'}"
