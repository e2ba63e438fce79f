"""Each page as people with other eyes, hands and screens meet it: axe finds nothing serious, nothing is cut off."""

from __future__ import annotations

import importlib.resources
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: see `make test-browser`")
pytest.importorskip("axe_playwright_python", reason="axe is not installed: see `make test-browser`")

from playwright.sync_api import Page

from pipeline.sandbox import tokens

SCREENS = {
    "desktop": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2},
    "narrowest": {"viewport": {"width": 320, "height": 640}},
}


def serious_findings(page: Page) -> list[str]:
    """What axe says is serious or critical, with the place."""
    page.evaluate(importlib.resources.files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8"))
    found = page.evaluate("async () => JSON.stringify((await axe.run(document)).violations)")
    return [
        f"{page.url}: {one['id']} ({one['impact']}): {node['html'][:120]} {node.get('failureSummary', '')}"
        for one in json.loads(found)
        for node in one["nodes"]
        if one["impact"] in ("serious", "critical")
    ]


def tour(visit, state_dir: Path) -> Iterator[tuple[str, Page]]:
    """Every page and every state of it, with the browser standing there."""
    page = visit.page
    page.goto(visit.url)
    yield "sign-in", page
    page.get_by_label("Password").fill("not the password")
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("alert").wait_for()
    yield "sign-in-refused", page
    page.get_by_label("Password").fill(visit.password)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("heading", name="Home").wait_for()
    yield "home-employee", page
    page.goto(f"{visit.url}/setup")
    yield "refused-role", page
    page.get_by_role("button", name="Switch to the administrator role").click()
    page.get_by_role("status").wait_for()
    yield "home-admin", page
    page.goto(f"{visit.url}/setup")
    yield "setup", page
    page.goto(f"{visit.url}/setup/api-tokens/new")
    yield "new", page
    page.locator("#name").evaluate("field => { field.required = false }")
    page.get_by_role("button", name="Create token").click()
    page.get_by_role("alert").wait_for()
    yield "new-refused", page
    page.get_by_label("Name").fill("Month-end dashboards (finance)")
    page.get_by_role("button", name="Create token").click()
    page.get_by_role("heading", name="Copy your token").wait_for()
    page.get_by_role("button", name="Copy token").click()
    yield "issued", page
    page.reload()
    yield "already-shown", page
    page.goto(f"{visit.url}/setup/api-tokens")
    yield "tokens", page
    page.get_by_role("link", name="Revoke Month-end").first.click()
    page.get_by_role("heading", name="Revoke").wait_for()
    yield "revoke", page
    page.get_by_role("button", name="Revoke token").click()
    page.get_by_role("status").wait_for()
    yield "tokens-revoked", page
    page.goto(f"{visit.url}/setup/api-tokens/none")
    yield "refused-unknown", page


@pytest.fixture
def varied(site):
    """Tokens in every state, with long and odd names."""
    state_dir = site[0].settings.state_dir
    now = datetime.now(UTC)
    if not any(entry.name == "Old laptop" for entry in tokens.listed(state_dir)):
        tokens.new(state_dir, now=now - tokens.VALIDITY, name="Old laptop")
        gone = tokens.new(state_dir, now=now, name="Contractor, until June")
        tokens.revoke(state_dir, gone.entry.id, now=now)
        tokens.new(state_dir, now=now, name="AveryLongNameWithoutAnySpaceThatMustNotWidenThePageAtAll")
        tokens.new(state_dir, now=now, name="")
    return state_dir


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", SCREENS)
def test_every_page_is_accessible_and_fits(new_visit, varied, tmp_path, scheme, screen):
    """No serious or critical finding of axe, and no sideways scrolling, by day, by night and on a phone."""
    visit = new_visit(color_scheme=scheme, reduced_motion="reduce", **SCREENS[screen])
    findings: list[str] = []
    seen: list[str] = []
    titles: set[str] = set()
    for name, page in tour(visit, varied):
        page.screenshot(path=tmp_path / f"{name}.png", full_page=True)
        findings += serious_findings(page)
        width, inner = page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]")
        assert width <= inner, f"{name} is {width - inner} px too wide"
        assert page.locator("h1").count() == 1
        assert page.locator("html").get_attribute("lang") == "en"
        titles.add(page.title())
        seen.append(name)
    assert findings == []
    assert len(seen) == 14
    assert len(titles) == 10
    expected = {"403", "422", "404"}  # the refusals that the tour provokes, and the browser's word on each
    unexpected = [p for p in visit.problems if p.split()[0] not in expected and "Failed to load resource" not in p]
    assert unexpected == []
    visit.problems.clear()
