"""What each page shows: from a session, an account and the list of tokens to HTML. No requests, no clock, no files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from pipeline.sandbox.page import account
from pipeline.sandbox.page.render import Html, day, fill, joined
from pipeline.sandbox.page.sessions import Session
from pipeline.sandbox.tokens import Entry

NAME_LIMIT: Final = 60
_ROLES: Final = {True: "Administrator", False: "Employee"}
_STATES: Final = {"active": "Active", "expired": "Expired", "revoked": "Revoked"}
NOTHING: Final = Html("")


def sign_in(session: Session, *, has_password: bool, problem: str = "", user: str = "") -> Html:
    """The form for name and password; `problem` says why the last attempt failed."""
    content = fill(
        "sign_in",
        csrf=session.csrf,
        user=user or account.USER,
        problem=_alert(problem),
        hint=NOTHING if has_password else fill("no_password"),
        longest=account.LONGEST,
    )
    return _page("Sign in", content, fill("header_visitor"), session.notice)


def home(session: Session) -> Html:
    """What the role may do, and the way to the other role."""
    content = fill("home_admin") if session.is_admin else fill("home_employee", csrf=session.csrf)
    return _inside(session, "Home", content)


def setup(session: Session) -> Html:
    """What an administrator can set up."""
    return _inside(session, "Setup", fill("setup"))


def token_list(session: Session, entries: Sequence[Entry], now: datetime) -> Html:
    """All tokens, newest first, with dates, state in words, and the way to revoke."""
    rows = joined(_row(entry, now) for entry in reversed(entries))
    active = sum(entry.state(now) == "active" for entry in entries)
    listing = fill("tokens_table", rows=rows) if entries else fill("tokens_none")
    counted = f"{active} active of {len(entries)} issued" if entries else ""
    return _inside(session, "API Tokens", fill("tokens", listing=listing, counted=counted))


def new_token(session: Session, problem: str = "", name: str = "") -> Html:
    """The form for a new token: a name for people, and what the token will be."""
    described = "name-help name-problem" if problem else "name-help"
    content = fill(
        "token_new",
        csrf=session.csrf,
        name=name,
        limit=NAME_LIMIT,
        problem=fill("field_problem", text=problem) if problem else NOTHING,
        described=described,
        invalid="true" if problem else "false",
    )
    return _inside(session, "New Token", content)


def issued_token(session: Session, entry: Entry, text: str | None) -> Html:
    """The token, this once; without `text`, that it was shown already."""
    name = entry.name or "Unnamed token"
    if text is None:
        return _inside(session, "Token already shown", fill("token_shown", name=name, id=entry.id))
    content = fill("token_issued", name=name, text=text, issued=_time(entry.issued_at), expires=_time(entry.expires_at))
    return _inside(session, "Copy your token", content)


def revoke_token(session: Session, entry: Entry, now: datetime) -> Html:
    """The question before a token is revoked, since that cannot be undone."""
    content = fill(
        "token_revoke",
        csrf=session.csrf,
        id=entry.id,
        name=entry.name or "Unnamed token",
        issued=_time(entry.issued_at),
        expires=_time(entry.expires_at),
        state=_state(entry, now),
    )
    return _inside(session, "Revoke token", content)


def refusal(session: Session | None, title: str, text: str, *, offer_admin: bool = False) -> Html:
    """Why a request was not followed, and where to go from there."""
    is_user = session is not None and session.salt is not None
    way = NOTHING
    if session is not None and offer_admin:
        way = fill("switch_to_admin", csrf=session.csrf)
    content = fill(
        "refusal",
        title=title,
        text=text,
        way=way,
        href="/home" if is_user else "/sign-in",
        link="Home" if is_user else "Sign in",
    )
    if session is not None and is_user:
        return _inside(session, title, content)
    return _page(title, content, fill("header_visitor"), "")


def _inside(session: Session, title: str, content: Html) -> Html:
    header = fill(
        "header_user",
        user=account.USER,
        role=_ROLES[session.is_admin],
        other=_ROLES[not session.is_admin],
        wanted="employee" if session.is_admin else "administrator",
        setup=fill("nav_setup") if session.is_admin else NOTHING,
        csrf=session.csrf,
    )
    return _page(title, content, header, session.notice)


def _page(title: str, content: Html, header: Html, notice: str) -> Html:
    told = fill("notice", text=notice) if notice else NOTHING
    return fill("layout", title=title, header=header, notice=told, content=content)


def _row(entry: Entry, now: datetime) -> Html:
    is_active = entry.state(now) == "active"
    name = entry.name or "Unnamed token"
    return fill(
        "tokens_row",
        name=name,
        id=entry.id,
        issued=_time(entry.issued_at),
        expires=_time(entry.expires_at),
        left=_left(entry.expires_at - now) if is_active else "",
        state=_state(entry, now),
        action=fill("revoke_link", id=entry.id, name=name) if is_active else NOTHING,
    )


def _state(entry: Entry, now: datetime) -> Html:
    state = entry.state(now)
    since = f"on {day(entry.revoked_at)}" if entry.revoked_at is not None else ""
    return fill("state", state=state, label=_STATES[state], since=since)


def _time(instant: datetime) -> Html:
    return fill("time", exact=instant.isoformat(timespec="seconds"), day=day(instant))


def _left(time: timedelta) -> str:
    return f"{time.days} days left" if time.days != 1 else "1 day left"


def _alert(text: str) -> Html:
    return fill("alert", text=text) if text else NOTHING
