"""The page's addresses: who may ask for what, what a form does, and which page answers.

Order of every refusal: foreign origin, no session, form without its token, role. What a page looks like is `views`'
business, what protects it in the browser `guard`'s.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from aiohttp import web

from pipeline.sandbox import tokens
from pipeline.sandbox.page import account, guard, views
from pipeline.sandbox.page.render import FILES, Html
from pipeline.sandbox.page.sessions import Brake, Session, Sessions

_TOKENS: Final = "/setup/api-tokens"
_FORM_LIMIT: Final = 16 * 1024
_ASSETS: Final = {"style.css": "text/css", "copy.js": "text/javascript", "icon.svg": "image/svg+xml"}
_FORM_TYPE: Final = "application/x-www-form-urlencoded"
Form = Mapping[str, object]
Show = Callable[[web.Request, Session], web.StreamResponse]
Do = Callable[[web.Request, Session, Form], web.StreamResponse | Awaitable[web.StreamResponse]]


def _now() -> datetime:
    return datetime.now(UTC)


def attach(app: web.Application, state_dir: Path, clock: Callable[[], datetime] = _now) -> None:
    """Serve the page at the root of an application, and guard all of it.

    Args:
        app: of the admin port; not started yet.
        state_dir: where tokens and the account are kept.
        clock: the time that sessions and tokens go by.
    """
    page = _Page(state_dir, clock)
    app.middlewares.append(guard.refuse_foreign)
    app.on_response_prepare.append(guard.add_headers)
    for path, show in (
        ("/", page.show_root),
        ("/home", page.showing(page.show_home)),
        ("/sign-in", page.show_sign_in),
        ("/setup", page.showing(page.show_setup, for_admin=True)),
        (_TOKENS, page.showing(page.show_tokens, for_admin=True)),
        (f"{_TOKENS}/new", page.showing(page.show_new, for_admin=True)),
        (f"{_TOKENS}/{{id}}", page.showing(page.show_issued, for_admin=True)),
        (f"{_TOKENS}/{{id}}/revoke", page.showing(page.show_revoke, for_admin=True)),
        ("/assets/{name}", _asset),
    ):
        app.router.add_get(path, show, allow_head=False)
    for path, do in (
        ("/sign-in", page.doing(page.sign_in, for_user=False)),
        ("/sign-out", page.doing(page.sign_out)),
        ("/role", page.doing(page.switch_role)),
        (_TOKENS, page.doing(page.issue, for_admin=True)),
        (f"{_TOKENS}/{{id}}/revoke", page.doing(page.revoke, for_admin=True)),
    ):
        app.router.add_post(path, do)


class _Page:
    """The handlers, and what they share."""

    def __init__(self, state_dir: Path, clock: Callable[[], datetime]) -> None:
        self._state_dir = state_dir
        self._clock = clock
        self._sessions = Sessions()
        self._brake = Brake()
        self._one_at_a_time = asyncio.Lock()  # scrypt takes memory; guesses wait for each other

    # ---- who may ----------------------------------------------------------------------------------------------------

    def showing(self, show: Show, *, for_admin: bool = False) -> guard.Handler:
        """A handler of GET for whoever is signed in; others are led to the sign-in."""

        async def handle(request: web.Request) -> web.StreamResponse:
            session = self._session(request)
            if session is None or session.salt is None:
                return _see("/sign-in")
            if for_admin and not session.is_admin:
                return _not_admin(session)
            return show(request, session)

        return handle

    def doing(self, do: Do, *, for_user: bool = True, for_admin: bool = False) -> guard.Handler:
        """A handler of POST for forms of ours, sent from pages of ours, within the session that was given them."""

        async def handle(request: web.Request) -> web.StreamResponse:
            session = self._session(request)
            if not guard.is_own_origin(request):
                return _refused(session, "This form did not come from this page", "Nothing was changed.")
            if session is None or (for_user and session.salt is None):
                return _refused(None, "Your session has ended", "Nothing was changed. Sign in, then try again.")
            form = await _form(request)
            if not guard.is_own_form(form.get("csrf"), session.csrf):
                return _refused(session, "This form is out of date", "Nothing was changed. Open the page again.")
            if for_admin and not session.is_admin:
                return _not_admin(session)
            answered = do(request, session, form)
            return answered if isinstance(answered, web.StreamResponse) else await answered

        return handle

    def _session(self, request: web.Request) -> Session | None:
        found = account.find(self._state_dir)
        salt = found.salt if found is not None else None
        return self._sessions.find(request.cookies.get(guard.COOKIE), salt, self._clock())

    def _renewed(self, request: web.Request, session: Session, to: str) -> web.Response:
        """Go on under a new session id, because the rights of the session have changed."""
        answer = _see(to)
        guard.set_cookie(answer, self._sessions.renew(request.cookies[guard.COOKIE], session, self._clock()))
        return answer

    # ---- signing in and out -----------------------------------------------------------------------------------------

    async def show_root(self, request: web.Request) -> web.StreamResponse:
        """Lead to where the visitor can go on."""
        session = self._session(request)
        return _see("/sign-in" if session is None or session.salt is None else "/home")

    async def show_sign_in(self, request: web.Request) -> web.StreamResponse:
        """The sign-in form, in a session of nobody."""
        session = self._session(request)
        if session is not None and session.salt is not None:
            return _see("/home")
        identity = None
        if session is None:
            identity, session = self._sessions.begin(self._clock())
        answer = _shown(session, self._sign_in_page(session))
        if identity is not None:
            guard.set_cookie(answer, identity)
        return answer

    def _sign_in_page(self, session: Session, problem: str = "", user: str = "") -> Html:
        has_password = account.find(self._state_dir) is not None
        return views.sign_in(session, has_password=has_password, problem=problem, user=user)

    async def sign_in(self, request: web.Request, session: Session, form: Form) -> web.StreamResponse:
        """Check name and password; a right pair begins a session of the ordinary role under a new id."""
        user, password = str(form.get("user", ""))[:254], str(form.get("password", ""))
        async with self._one_at_a_time:
            wait = self._brake.wait(self._clock())
            if wait is not None:
                minutes = math.ceil(wait.total_seconds() / 60)
                problem = f"Too many attempts. Try again in {minutes} minute{'s' if minutes > 1 else ''}."
                answer = _html(self._sign_in_page(session, problem, user), 429)
                answer.headers["Retry-After"] = str(math.ceil(wait.total_seconds()))
                return answer
            found = account.find(self._state_dir)
            if found is None or not await asyncio.to_thread(found.admits, user, password):
                problem = "User name or password is not right. Check both and try again."
                return _html(self._sign_in_page(session, problem, user), 403)
            self._brake.release()
        session.salt, session.is_admin, session.began_at = found.salt, False, self._clock()
        return self._renewed(request, session, "/home")

    def sign_out(self, request: web.Request, _session: Session, _form: Form) -> web.StreamResponse:
        """End the session."""
        self._sessions.end(request.cookies.get(guard.COOKIE))
        answer = _see("/sign-in")
        guard.drop_cookie(answer)
        return answer

    def switch_role(self, request: web.Request, session: Session, form: Form) -> web.StreamResponse:
        """Take on the administrator's role or lay it down, under a new session id."""
        session.is_admin = form.get("role") == "administrator"
        session.fresh.clear()
        role = "an administrator" if session.is_admin else "an employee"
        session.notice = f"You are now working as {role}."
        return self._renewed(request, session, "/home")

    def show_home(self, _request: web.Request, session: Session) -> web.StreamResponse:
        """What the role may do."""
        return _shown(session, views.home(session))

    def show_setup(self, _request: web.Request, session: Session) -> web.StreamResponse:
        """The way to the API tokens."""
        return _shown(session, views.setup(session))

    # ---- tokens -----------------------------------------------------------------------------------------------------

    def show_tokens(self, _request: web.Request, session: Session) -> web.StreamResponse:
        """The list."""
        return _shown(session, views.token_list(session, tokens.listed(self._state_dir), self._clock()))

    def show_new(self, _request: web.Request, session: Session) -> web.StreamResponse:
        """The form."""
        return _shown(session, views.new_token(session))

    def issue(self, _request: web.Request, session: Session, form: Form) -> web.StreamResponse:
        """Issue a token, then lead to the page that shows it: sending the form again must not issue another."""
        name = " ".join(str(form.get("name", "")).split())
        if len(name) > views.NAME_LIMIT or not name.isprintable():
            problem = f"A name has at most {views.NAME_LIMIT} characters, all of them visible."
            return _html(views.new_token(session, problem, name), 422)
        if not name:
            return _html(views.new_token(session, "Give the token a name, so that you know it again."), 422)
        made = tokens.new(self._state_dir, now=self._clock(), name=name, subject=account.USER)
        session.fresh[made.entry.id] = made.text
        return _see(f"{_TOKENS}/{made.entry.id}")

    def show_issued(self, request: web.Request, session: Session) -> web.StreamResponse:
        """The token just issued, this once, to the session that issued it."""
        entry = self._entry(request)
        if entry is None:
            return _no_token(session)
        return _shown(session, views.issued_token(session, entry, session.fresh.pop(entry.id, None)))

    def show_revoke(self, request: web.Request, session: Session) -> web.StreamResponse:
        """The question."""
        entry = self._entry(request)
        if entry is None:
            return _no_token(session)
        return _shown(session, views.revoke_token(session, entry, self._clock()))

    def revoke(self, request: web.Request, session: Session, _form: Form) -> web.StreamResponse:
        """Revoke a token at once."""
        entry = self._entry(request)
        if entry is None:
            return _no_token(session)
        tokens.revoke(self._state_dir, entry.id, now=self._clock())
        session.fresh.pop(entry.id, None)
        session.notice = (
            f"The token “{entry.name or entry.id}” is revoked. Requests that carry it are refused from now on."
        )
        return _see(_TOKENS)

    def _entry(self, request: web.Request) -> tokens.Entry | None:
        wanted = request.match_info["id"]
        return next((entry for entry in tokens.listed(self._state_dir) if entry.id == wanted), None)


async def _form(request: web.Request) -> Form:
    """The fields of a small form; none of anything else."""
    if request.content_type != _FORM_TYPE or (request.content_length or _FORM_LIMIT + 1) > _FORM_LIMIT:
        return {}
    return await request.post()


async def _asset(request: web.Request) -> web.StreamResponse:
    name = request.match_info["name"]
    if name not in _ASSETS:
        raise web.HTTPNotFound
    body = (FILES / name).read_bytes()
    return web.Response(body=body, content_type=_ASSETS[name], charset="utf-8", headers={"Cache-Control": "no-cache"})


def _html(page: Html, status: int = 200) -> web.Response:
    return web.Response(text=str(page), status=status, content_type="text/html", charset="utf-8")


def _shown(session: Session, page: Html) -> web.Response:
    """A page that was asked for; what was to be told once has been told."""
    session.notice = ""
    return _html(page)


def _see(path: str) -> web.Response:
    return web.Response(status=303, headers={"Location": path})


def _refused(session: Session | None, title: str, text: str) -> web.Response:
    return _html(views.refusal(session, title, text), 403)


def _not_admin(session: Session) -> web.Response:
    text = "Setup is for administrators. You are working as an employee; if you may, switch to the administrator role."
    return _html(views.refusal(session, "Not available in your role", text, offer_admin=True), 403)


def _no_token(session: Session) -> web.Response:
    return _html(views.refusal(session, "No such token", "It may belong to another sandbox."), 404)
