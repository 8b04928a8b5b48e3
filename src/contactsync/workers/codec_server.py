"""The codec server process: open payloads, masked, until it is told to stop."""

from collections.abc import Callable

from contactsync.codecs.audit.together import SharedLog
from contactsync.codecs.server.access import Access, LoopbackAccess, TokenAccess, check_bind
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.issuer import HttpFetch, IssuerKeys
from contactsync.codecs.server.oidc import OidcAccess, OidcRules
from contactsync.codecs.server.rates import Rate
from contactsync.codecs.server.roles import RoleRules
from contactsync.codecs.server.serve import Tls, serving
from contactsync.errors import SettingsError
from contactsync.workers.bootstrap import opened
from contactsync.workers.key_flush import flushing
from contactsync.workers.setting_secrets import secret_of
from contactsync.workers.settings import Settings, parts_of
from contactsync.workers.stopping import stop_requested


async def run_codec_server(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `listening` is told the URL.

    Raises:
        SettingsError: it would listen where payloads or tokens travel in clear, or cannot listen there at all, or
            nobody could be let in.
        SecretUnavailable, DatabaseError, RootKeyUnavailable: it could not start.
    """
    access, tls = await access_of(settings), _tls(settings)
    check_bind(settings.codec_host, access, tls=tls is not None, behind_proxy=settings.codec_behind_proxy)
    async with opened(settings) as parts:
        await parts.ring.check()
        app = codec_app(
            parts.ring,
            SharedLog(parts.database),
            access,
            origins=parts_of(settings.codec_origins),
            encode=settings.codec_encode,
            codes=frozenset(parts_of(settings.codec_shown_keys)),
            rate=Rate(settings.codec_rate, settings.codec_burst),
        )
        serves = serving(app, settings.codec_host, settings.codec_port, tls)
        async with flushing(parts.settings.keys_database(), parts.ring), serves as port:
            listening(f"{'https' if tls else 'http'}://{settings.codec_host}:{port}")
            await stop_requested()


async def access_of(settings: Settings) -> Access:
    """The tokens of an issuer, or one token; where there is neither, whoever is on this machine."""
    if settings.codec_oidc_issuer is not None:
        return _oidc(settings, settings.codec_oidc_issuer)
    token = await secret_of(settings, "codec_token")
    return LoopbackAccess() if token is None else TokenAccess(token)


def _oidc(settings: Settings, issuer: str) -> OidcAccess:
    if settings.secret_reference("codec_token") is not None:
        raise SettingsError("the codec server takes the tokens of an issuer or one of its own; set one of them")
    roles = RoleRules(
        roles_claim=settings.codec_oidc_roles_claim,
        tenants_claim=settings.codec_oidc_tenants_claim,
        prefix=settings.codec_oidc_role_prefix,
        acr=frozenset(parts_of(settings.codec_oidc_acr)),
        amr=frozenset(parts_of(settings.codec_oidc_amr)),
    )
    return OidcAccess(OidcRules(issuer, settings.codec_oidc_audience, roles), issuer_keys(settings, issuer))


def issuer_keys(settings: Settings, issuer: str) -> IssuerKeys:
    """The keys of an issuer. Raises SettingsError."""
    return IssuerKeys(issuer, HttpFetch.trusting(settings.codec_oidc_ca_file))


def _tls(settings: Settings) -> Tls | None:
    certificate, key = settings.codec_tls_certificate, settings.codec_tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingsError("the codec server needs both a certificate and its key, or neither")
    return Tls(certificate, key)
