"""A real browser for the page: the Chromium of this machine, driven by playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@contextmanager
def browsing() -> Iterator[Any]:
    """One browser for many pages; skips with a reason where there is none."""
    driver = pytest.importorskip("playwright.sync_api", reason="playwright is not installed; pip install '.[test]'")
    program = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if program is None:
        pytest.skip("no Chromium on this machine; install the package chromium")
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=FLAGS)
        yield browser
        browser.close()


class Opened:
    """A page of a report in a browser; notes whatever a page must not do."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.file = file
        self.page = browser.new_page(**{"viewport": {"width": 1200, "height": 900}} | options)
        self.page.set_default_timeout(30_000)
        self.wrong: list[str] = []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("dialog", lambda dialog: self.wrong.append(f"a dialog: {dialog.message}"))
        self.page.on("request", self._note)
        self.go("")

    def _note(self, request: Any) -> None:
        if not request.url.startswith(("file:", "data:", "blob:")):
            self.wrong.append(f"a request: {request.url}")

    def go(self, state: str) -> None:
        """Open the page anew with this state in its address."""
        self.page.goto("about:blank")
        self.page.goto(f"{self.file.as_uri()}{state}")

    @property
    def state(self) -> str:
        """What stands in the address after #."""
        return str(self.page.evaluate("decodeURIComponent(location.hash.slice(1))"))
