"""How a REST source signs in: what goes into the endpoint, and what into the headers of each request."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from contactsync.activities.sources.addresses import AddressRules
from contactsync.activities.sources.meter import Meter
from contactsync.activities.sources.oauth import ask_for_token
from contactsync.activities.sources.rest_settings import RestSettings
from contactsync.activities.sources.rest_tables import BasicAuth, HeaderAuth, NoAuth, OAuth, RefreshTokenAuth
from contactsync.activities.sources.source import Credentials, Workbench
from contactsync.activities.sources.tokens import Grant, Token
from contactsync.activities.sources.transport import Endpoint, open_transport
from contactsync.errors import CredentialsRejected


def endpoint_of(settings: RestSettings, credentials: Credentials, addresses: AddressRules, meter: Meter) -> Endpoint:
    """What the transport needs to know."""
    auth = settings.auth
    scheme: Literal["basic", "bearer"] = "basic" if isinstance(auth, BasicAuth) else "bearer"
    username = auth.username if isinstance(auth, BasicAuth) else ""
    sends_itself = isinstance(auth, HeaderAuth | NoAuth | OAuth)
    return Endpoint(
        url=settings.url,
        credentials=Credentials() if sends_itself else Credentials(username, credentials.secret),
        scheme=scheme,
        trusted_hosts=settings.trusted_hosts,
        ca_file=settings.ca_file,
        timeout_seconds=settings.timeout_seconds,
        addresses=addresses,
        meter=meter,
    )


@dataclass(frozen=True, slots=True)
class Signer:
    """Headers that sign a request in."""

    settings: RestSettings
    secret: str = field(repr=False)
    workbench: Workbench

    @property
    def renews(self) -> bool:
        """Whether a refused request is worth another, with a new token."""
        return isinstance(self.settings.auth, OAuth)

    async def headers(self, refused: Mapping[str, str] | None = None) -> dict[str, str]:
        """The headers of a request; others than `refused` ones, where they were.

        Raises:
            CredentialsRejected: there is no secret, or none that a header may carry.
            SecretUnavailable: the client's secret is not there.
            SourceError: from the token endpoint.
        """
        auth = self.settings.auth
        if isinstance(auth, HeaderAuth):
            return {auth.name.lower(): auth.prefix + _checked(self.secret)}
        if isinstance(auth, OAuth):
            old = (refused or {}).get("authorization", "").removeprefix(_BEARER)
            return {"authorization": _BEARER + await self._token(auth, old)}
        return {}

    async def _token(self, auth: OAuth, refused: str) -> str:
        client_secret = await self._client_secret(auth)
        grant = _grant(auth, _checked(self.secret), client_secret)

        async def ask(grant: Grant) -> Token:
            where = Endpoint(
                url=auth.token_url,
                ca_file=self.settings.ca_file,
                timeout_seconds=self.settings.timeout_seconds,
                addresses=self.workbench.addresses,
            )
            async with open_transport(where) as transport:
                return await ask_for_token(transport, grant)

        return await self.workbench.tokens.get(grant, ask, refused=refused)

    async def _client_secret(self, auth: OAuth) -> str:
        if isinstance(auth, RefreshTokenAuth):
            return await self.workbench.secrets.resolve(auth.client_secret) if auth.client_secret else ""
        return _checked(self.secret)


_BEARER: Final = "Bearer "


def _grant(auth: OAuth, secret: str, client_secret: str) -> Grant:
    form = {**auth.extra, **({"scope": auth.scope} if auth.scope else {})}
    if isinstance(auth, RefreshTokenAuth):
        form |= {"grant_type": "refresh_token", "refresh_token": secret}
    else:
        form |= {"grant_type": "client_credentials"}
    return Grant(auth.token_url, form, auth.client_id, client_secret, basic=auth.client_auth == "basic")


def _checked(secret: str) -> str:
    if not secret:
        raise CredentialsRejected("the connection has no secret; give one with --secret")
    if not secret.isascii() or not secret.isprintable():
        raise CredentialsRejected("the secret holds characters that no header may carry; check it")
    return secret
