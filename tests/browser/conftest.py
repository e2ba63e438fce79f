"""A real browser at the sandbox's page. Without Playwright or Chromium these tests are skipped, and say so."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.page import account

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, Response

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@dataclass
class Visit:
    """A browser window at the page, the account that may sign in, and all that went wrong in it."""

    page: Page
    url: str
    user: str
    password: str
    problems: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Keep every console message, script error, refused answer and request to elsewhere."""

        def said(message: ConsoleMessage) -> None:
            if message.type in ("error", "warning"):
                self.problems.append(f"console {message.type}: {message.text}")

        def answered(response: Response) -> None:
            if response.status >= 400 or not response.url.startswith(self.url):
                self.problems.append(f"{response.status} {response.url}")

        def failed(request: Request) -> None:
            if request.failure != "net::ERR_ABORTED":  # the browser's own doing: it left before all had come
                self.problems.append(f"{request.failure}: {request.url}")

        self.page.on("console", said)
        self.page.on("pageerror", lambda error: self.problems.append(f"script: {error}"))
        self.page.on("response", answered)
        self.page.on("requestfailed", failed)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The machine's Chromium."""
    pytest.importorskip("playwright", reason="Playwright is not installed: see `make test-browser`")
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("Chromium is not installed: see `make test-browser`")
    return found


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """A sandbox of these tests' own, and the password of its page."""
    state_dir = tmp_path_factory.mktemp("page") / "state"
    password = account.make(state_dir)
    with in_thread(SandboxSettings(state_dir=state_dir, claims=20)) as running:
        yield running, password


@pytest.fixture(scope="session")
def browser(chromium: str, site: tuple[Running, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """Chromium that trusts the sandbox's certificate by its key, and nothing else beyond the usual."""
    from playwright.sync_api import sync_playwright

    home = tmp_path_factory.mktemp("home")
    leaf = x509.load_pem_x509_certificate((site[0].settings.state_dir / "server.pem").read_bytes())
    key = leaf.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    pin = base64.b64encode(hashlib.sha256(key).digest()).decode()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium,
            headless=True,
            args=[*FLAGS, f"--ignore-certificate-errors-spki-list={pin}"],
            env={"HOME": str(home), "PATH": "/usr/bin:/bin"},
        )
        yield launched
        launched.close()


@pytest.fixture
def new_visit(browser: Browser, site: tuple[Running, str]) -> Iterator[Any]:
    """Opens windows, each with cookies of its own; at the end nothing may have gone wrong in any of them."""
    running, password = site
    opened: list[tuple[BrowserContext, Visit]] = []

    def open_window(**options: Any) -> Visit:
        context = browser.new_context(**options)
        context.set_default_timeout(15_000)
        visit = Visit(context.new_page(), running.admin_url, account.USER, password)
        visit.watch()
        opened.append((context, visit))
        return visit

    yield open_window
    for context, _ in opened:
        context.close()
    assert [problem for _, visit in opened for problem in visit.problems] == []


@pytest.fixture
def site_file(site: tuple[Running, str], tmp_path: Path) -> Path:
    """Settings of a site whose source is this sandbox; whoever creates a token puts it into the file `token`."""
    running, _ = site
    path = tmp_path / "site.toml"
    path.write_text(
        f'[site]\nname = "test"\nbase_url = "{running.base_url}"\n[api]\nca_file = "{running.ca_file}"\n'
        f'[token]\nfile = "{tmp_path / "token"}"\n[storage]\ndata_dir = "data"\n'
    )
    return path
