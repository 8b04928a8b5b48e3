"""The codec server process: open payloads, masked, until it is told to stop."""

from collections.abc import Callable

from contactsync.codecs.server.access import Access, LoopbackAccess, TokenAccess, check_bind
from contactsync.codecs.server.app import codec_app
from contactsync.codecs.server.opening import DatabaseTrail
from contactsync.codecs.server.serve import Tls, serving
from contactsync.errors import SettingsError
from contactsync.workers.bootstrap import opened
from contactsync.workers.settings import Settings, read_secret_file
from contactsync.workers.worker import stop_requested


async def run_codec_server(settings: Settings, listening: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM; `listening` is told the URL.

    Raises:
        SettingsError: it would listen where payloads or tokens travel in clear, or cannot listen there at all.
        DatabaseError, RootKeyUnavailable: it could not start.
    """
    access, tls = _access(settings), _tls(settings)
    check_bind(settings.codec_host, access, tls=tls is not None, behind_proxy=settings.codec_behind_proxy)
    origins = tuple(origin.strip() for origin in settings.codec_origins.split(",") if origin.strip())
    async with opened(settings) as parts:
        await parts.ring.check()
        app = codec_app(
            parts.ring, DatabaseTrail(parts.database), access, origins=origins, encode=settings.codec_encode
        )
        async with serving(app, settings.codec_host, settings.codec_port, tls) as port:
            listening(f"{'https' if tls else 'http'}://{settings.codec_host}:{port}")
            await stop_requested()


def _access(settings: Settings) -> Access:
    """A token where there is one; else whoever is on this machine."""
    if settings.codec_token_file is None:
        return LoopbackAccess()
    return TokenAccess(read_secret_file(settings.codec_token_file))


def _tls(settings: Settings) -> Tls | None:
    certificate, key = settings.codec_tls_certificate, settings.codec_tls_key
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise SettingsError("the codec server needs both a certificate and its key, or neither")
    return Tls(certificate, key)
