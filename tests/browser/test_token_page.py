"""The vendor's procedure in a real browser: sign in, switch, create, copy, use, revoke, refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("playwright", reason="Playwright is not installed: see `make test-browser`")

from playwright.sync_api import Page, expect  # only when it is there

from pipeline.sandbox import SandboxSettings, in_thread


def sign_in(visit) -> Page:
    page = visit.page
    page.goto(visit.url)
    page.get_by_label("User name").fill(visit.user)
    page.get_by_label("Password").fill(visit.password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="You are working as an employee")).to_be_visible()
    return page


def become_admin(page: Page) -> None:
    page.get_by_role("button", name="Switch to the administrator role").click()
    expect(page.get_by_role("status")).to_have_text("You are now working as an administrator.")


def create_token(page: Page, name: str) -> str:
    page.get_by_role("link", name="Setup", exact=True).click()
    page.get_by_role("link", name="API Tokens").click()
    page.get_by_role("link", name="New Token").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create token").click()
    expect(page.get_by_role("heading", name="Copy your token")).to_be_visible()
    return page.get_by_label(f"Token for “{name}”").input_value()


def use(token: str, prospend, site_file: Path) -> int:
    place = site_file.with_name("token")
    place.write_text(token)
    place.chmod(0o600)
    return prospend("token", "check", "--config", site_file).code


def row_of(page: Page, name: str):
    return page.get_by_role("row").filter(has=page.get_by_role("rowheader", name=name))


def test_the_life_of_a_token(new_visit, prospend, site_file):
    """Sign in, switch, create, copy, use: accepted. Revoke: the client is refused with exit 11, and says so."""
    visit = new_visit(permissions=["clipboard-read", "clipboard-write"])
    page = sign_in(visit)
    assert page.get_by_role("link", name="Setup").count() == 0
    become_admin(page)
    shown = create_token(page, "Nightly pipeline")
    page.get_by_role("button", name="Copy token").click()
    expect(page.locator("#token-told")).to_have_text("Copied to the clipboard.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == shown
    assert re.fullmatch(r"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9(\.[A-Za-z0-9_-]+){2}", copied)
    assert use(copied, prospend, site_file) == 0
    page.reload()
    expect(page.get_by_role("heading", name="Token already shown")).to_be_visible()
    assert copied not in page.content()
    page.get_by_role("link", name="Back to API Tokens").click()
    row = row_of(page, "Nightly pipeline")
    expect(row.get_by_text("Active", exact=True)).to_be_visible()
    assert copied not in page.content()
    row.get_by_role("link", name="Revoke Nightly pipeline").click()
    page.get_by_role("button", name="Revoke token").click()
    expect(page.get_by_role("status")).to_contain_text("“Nightly pipeline” is revoked")
    expect(row.get_by_text("Revoked", exact=True)).to_be_visible()
    assert row.get_by_role("link").count() == 0
    assert use(copied, prospend, site_file) == 11
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


class Keyboard:
    """Hands on a keyboard: everything is reached with Tab, in the order of the page, and always visibly."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def reach(self, name: str) -> None:
        """Tab until the element with this accessible name has the focus, and see that the focus shows."""
        for _ in range(40):
            self.page.keyboard.press("Tab")
            found = self.page.evaluate(
                "() => { const e = document.activeElement; const s = getComputedStyle(e);"
                " return [e.labels?.[0]?.textContent ?? e.textContent, s.outlineStyle, parseFloat(s.outlineWidth)] }"
            )
            if " ".join(found[0].split()) == name:
                assert found[1] == "solid"
                assert found[2] >= 2
                return
        raise AssertionError(f"{name} cannot be reached with the keyboard")

    def press(self, name: str) -> None:
        self.reach(name)
        with self.page.expect_navigation():
            self.page.keyboard.press("Enter")

    def fill(self, name: str, text: str) -> None:
        self.reach(name)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)


def test_the_same_with_a_keyboard_and_without_scripts(new_visit, prospend, site_file):
    """No mouse, no JavaScript: the token is read from its field, and the copy button is not offered."""
    visit = new_visit(java_script_enabled=False)
    page, keys = visit.page, Keyboard(visit.page)
    page.goto(visit.url)
    keys.fill("User name", visit.user)
    keys.fill("Password", visit.password)
    keys.press("Sign in")
    keys.press("Switch to the administrator role")
    keys.press("Setup")
    keys.press("API Tokens")
    keys.press("New Token")
    keys.fill("Name", "Keyboard")
    keys.press("Create token")
    assert not page.get_by_role("button", name="Copy token").is_visible()
    keys.reach("Token for “Keyboard”")
    token = page.get_by_label("Token for “Keyboard”").input_value()
    assert use(token, prospend, site_file) == 0
    keys.press("Done")
    keys.press("Revoke Keyboard")
    keys.press("Revoke token")
    assert use(token, prospend, site_file) == 11
    keys.press("Sign out")
    assert page.get_by_role("heading", name="Sign in").is_visible()


def test_the_keyboard_alone_can_copy(new_visit):
    """The copy button answers to the space bar, and says aloud that it copied."""
    visit = new_visit(permissions=["clipboard-read", "clipboard-write"])
    page = sign_in(visit)
    become_admin(page)
    token = create_token(page, "Copied by keyboard")
    Keyboard(page).reach("Copy token")
    page.keyboard.press("Space")
    expect(page.locator("#token-told[role=status]")).to_have_text("Copied to the clipboard.")
    assert page.evaluate("navigator.clipboard.readText()") == token


def test_a_clipboard_that_refuses_leaves_the_token_selected(new_visit):
    """Where a browser forbids it, the person is told what to press."""
    visit = new_visit(permissions=["geolocation"])  # whatever is not granted is then denied
    page = sign_in(visit)
    become_admin(page)
    create_token(page, "Refused clipboard")
    page.get_by_role("button", name="Copy token").click()
    expect(page.locator("#token-told")).to_contain_text("press Ctrl+C")
    assert page.evaluate("() => { const f = document.activeElement; return f.selectionEnd - f.selectionStart }") > 100


def test_going_back_does_not_show_a_token_again(new_visit):
    """Nothing of the page is kept in the browser's history."""
    visit = new_visit()
    page = sign_in(visit)
    become_admin(page)
    token = create_token(page, "Gone with the page")
    page.get_by_role("link", name="Done").click()
    page.go_back()
    expect(page.get_by_role("heading", name="Token already shown")).to_be_visible()
    assert token not in page.content()


def test_wrong_passwords_are_told_and_then_braked(new_visit, site):
    """The form says what is wrong without saying which of the two, and in the end when to come back."""
    with in_thread(SandboxSettings(state_dir=site[0].settings.state_dir, claims=20)) as braked:
        visit = new_visit()
        visit.url = braked.admin_url
        page = visit.page
        page.goto(visit.url)
        for _ in range(5):
            page.get_by_label("Password").fill("not the password")
            page.get_by_role("button", name="Sign in").click()
            expect(page.get_by_role("alert")).to_contain_text("User name or password is not right")
            expect(page.get_by_label("Password")).to_be_empty()
        page.get_by_label("Password").fill(visit.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_contain_text("Too many attempts. Try again in 5 minutes.")
        page.close()  # before the sandbox ends: what the browser still wants to fetch is not there any more
    statuses = [problem.split()[0] for problem in visit.problems if problem[0].isdigit()]
    assert statuses == ["403"] * 5 + ["429"]
    assert all(p[0].isdigit() or "Failed to load resource" in p for p in visit.problems)
    visit.problems.clear()
