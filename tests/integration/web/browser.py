"""Debian's Chromium, without a window."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from playwright.async_api import Browser, async_playwright

CHROMIUM: Final = Path("/usr/bin/chromium")
MISSING: Final = "Chromium is not installed here: apt-get install chromium"
WIDTH: Final = 1280
HEIGHT: Final = 800


def is_installed() -> bool:
    """Whether it is here."""
    return CHROMIUM.exists()


@asynccontextmanager
async def chromium() -> AsyncGenerator[Browser]:
    """A browser; it goes to no proxy, and asks nobody for updates."""
    quiet = ["--no-proxy-server", "--disable-component-update", "--disable-background-networking"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        yield browser
        await browser.close()
