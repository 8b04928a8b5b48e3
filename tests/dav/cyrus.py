"""Cyrus IMAP's CardDAV server (Debian: cyrus-caldav, cyrus-imapd), configured in a folder of its own.

Its programs are found on the machine. Passwords are asked of a saslauthd that this module plays itself, and
accounts are made through IMAP, as an administrator would.
"""

import asyncio
import imaplib
import os
import pwd
import shutil
import struct
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.dav.server import PASSWORD, DavServer
from tests.dav.starting import start

from contactsync.workers.embedded.folders import temporary_folder
from contactsync.workers.embedded.ports import LOOPBACK, free_port
from contactsync.workers.embedded.processes import Command, RunAs, plain_environment, run

MASTER = Path("/usr/sbin/cyrmaster")
PROGRAMS = Path("/usr/lib/cyrus/bin")
NEEDED = (MASTER, PROGRAMS / "httpd", PROGRAMS / "imapd")
ADMIN = "cyrus-admin"
MISSING = "Cyrus is not installed here: apt-get install cyrus-caldav cyrus-imapd"


def is_installed() -> bool:
    """Whether all its programs are here."""
    return all(program.exists() for program in NEEDED)


def _user() -> pwd.struct_passwd:
    """As root the user that Debian made for it, else ourselves."""
    return pwd.getpwnam("cyrus") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())


def _run_as() -> RunAs | None:
    user = _user()
    return RunAs(user.pw_uid, user.pw_gid) if os.geteuid() == 0 else None


@dataclass(frozen=True, slots=True)
class Cyrus(DavServer):
    """A running Cyrus; `folder` holds its configuration."""

    folder: Path = Path()

    async def expire(self) -> None:
        """Forgets deleted cards at once, and with them every older sync token."""
        argv = (str(PROGRAMS / "cyr_expire"), "-C", str(self.folder / "imapd.conf"), "-E", "1", "-X", "0")
        environment = plain_environment(self.folder)
        code = await run(Command(argv, self.folder / "expire.log", self.folder, environment, _run_as()))
        assert code == 0, code


@asynccontextmanager
async def cyrus(users: Iterable[str]) -> AsyncGenerator[Cyrus]:
    """A server where each user has the address book `/dav/addressbooks/user/{user}/Default/`."""
    run_as = _run_as()
    with temporary_folder(run_as) as folder:
        http, imap = free_port(), free_port()
        _configure(folder, http, imap, run_as)
        async with _saslauthd(folder / "mux"):
            root = f"http://{LOOPBACK}:{http}"
            configuration = (("-C", "imapd.conf"), ("-M", "cyrus.conf"), ("-p", "master.pid"))
            argv = (str(MASTER), "-D", *(w for option, name in configuration for w in (option, str(folder / name))))
            child = await start(argv, folder, root, user=run_as)
            try:
                await asyncio.to_thread(_make_accounts, imap, list(users))
                yield Cyrus("cyrus", root, "http://cyrusimap.org/ns/sync/1-99999999", folder=folder)
            finally:
                await child.stop()


def _configure(folder: Path, http: int, imap: int, run_as: RunAs | None) -> None:
    user = _user()
    (folder / "imapd.conf").write_text(
        f"""configdirectory: {folder}/conf
defaultpartition: default
partition-default: {folder}/spool
proc_path: {folder}/proc
mboxname_lockpath: {folder}/lock
cyrus_user: {user.pw_name}
admins: {ADMIN}
httpmodules: carddav
allowplaintext: yes
unixhierarchysep: yes
sasl_pwcheck_method: saslauthd
sasl_saslauthd_path: {folder}/mux
sasl_mech_list: PLAIN
umask: 077
"""
    )
    command, conf = f"-C {folder}/imapd.conf", f"{LOOPBACK}:"
    (folder / "cyrus.conf").write_text(
        f"""START {{ recover cmd="{PROGRAMS}/ctl_cyrusdb {command} -r" }}
SERVICES {{
  imap cmd="{PROGRAMS}/imapd {command}" listen="{conf}{imap}" prefork=1
  http cmd="{PROGRAMS}/httpd {command}" listen="{conf}{http}" prefork=1
}}
EVENTS {{ }}
"""
    )
    for name in ("conf/db", "conf/socket", "spool", "proc", "lock"):
        (folder / name).mkdir(parents=True)
    if run_as:
        for path in (folder, *folder.rglob("*")):
            shutil.chown(path, run_as.uid, run_as.gid)


def _make_accounts(port: int, users: list[str]) -> None:
    with imaplib.IMAP4(LOOPBACK, port) as imap:
        imap.login(ADMIN, PASSWORD)
        for user in users:
            answer, _ = imap.create(f"user/{user}")
            assert answer == "OK", answer


@asynccontextmanager
async def _saslauthd(path: Path) -> AsyncGenerator[None]:
    """Says yes to `PASSWORD`: four counted strings in (user, password, service, realm), one out."""

    async def string(reader: asyncio.StreamReader) -> bytes:
        (length,) = struct.unpack(">H", await reader.readexactly(2))
        return await reader.readexactly(length)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _, password, _, _ = [await string(reader) for _ in range(4)]
        word = b"OK" if password == PASSWORD.encode() else b"NO"
        writer.write(struct.pack(">H", len(word)) + word)
        await writer.drain()
        writer.close()

    server = await asyncio.start_unix_server(answer, path)
    path.chmod(0o777)
    async with server:
        yield
