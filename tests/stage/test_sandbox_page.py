"""The token page on the wire: who is let in, which forms are followed, what the headers say, and what is kept."""

from __future__ import annotations

import http.client
import re
import socket
import ssl
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from pipeline.sandbox import Running, SandboxSettings, in_thread, tokens
from pipeline.sandbox.page import account, sessions

NOW = datetime(2026, 7, 1, 9, 30, tzinfo=UTC)
PAGES = ("/home", "/setup", "/setup/api-tokens", "/setup/api-tokens/new")
ADMIN_PAGES = PAGES[1:]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: http.client.HTTPMessage
    text: str


@dataclass
class Visitor:
    """A browser's manners, no more: keeps the cookie, sends forms with their token and their origin."""

    running: Running
    cookie: str = ""
    csrf: str = ""
    cookies_seen: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, body: str | None = None, **headers: str) -> Answer:
        parts = urlsplit(self.running.admin_url)
        trusting = ssl.create_default_context(cafile=str(self.running.ca_file))
        connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, context=trusting, timeout=20)
        try:
            sent = {"Cookie": self.cookie} if self.cookie else {}
            connection.request(method, path, body, headers={**sent, **headers})
            found = connection.getresponse()
            answer = Answer(found.status, found.headers, found.read().decode())
        finally:
            connection.close()
        if given := answer.headers["Set-Cookie"]:
            self.cookies_seen.append(given)
            self.cookie = given.partition(";")[0]
        if match := re.search(r'name="csrf" value="([^"]+)"', answer.text):
            self.csrf = match[1]
        return answer

    def get(self, path: str) -> Answer:
        return self.ask("GET", path)

    def post(self, path: str, *, origin: str | None = "", csrf: str | None = "", **fields: str) -> Answer:
        """Send a form; "" means what a browser would send, None leaves it out."""
        token = self.csrf if csrf == "" else csrf
        form = {**fields, **({"csrf": token} if token is not None else {})}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if origin is not None:
            headers["Origin"] = origin or self.running.admin_url
        return self.ask("POST", path, urlencode(form), **headers)

    def sign_in(self, password: str) -> Answer:
        self.get("/sign-in")
        answer = self.post("/sign-in", user=account.USER, password=password)
        self.get("/home")
        return answer

    def become_admin(self) -> Answer:
        answer = self.post("/role", role="administrator")
        self.get("/home")
        return answer

    def issue(self, name: str) -> tuple[str, Answer]:
        """The page's path, and the page that shows the token."""
        self.get("/setup/api-tokens/new")
        path = self.post("/setup/api-tokens", name=name).headers["Location"]
        return path, self.get(path)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, str]]:
    """One sandbox and its password for all tests that leave the account as it is."""
    state_dir = tmp_path_factory.mktemp("page") / "state"
    password = account.make(state_dir)
    with in_thread(SandboxSettings(state_dir=state_dir, claims=20)) as running:
        yield running, password


@pytest.fixture
def running(shared: tuple[Running, str]) -> Running:
    return shared[0]


@pytest.fixture
def password(shared: tuple[Running, str]) -> str:
    return shared[1]


@pytest.fixture
def lone(tmp_path: Path) -> Iterator[tuple[Visitor, str]]:
    """A visitor of a sandbox that this test may upset, and its password."""
    password = account.make(tmp_path / "state")
    with in_thread(SandboxSettings(state_dir=tmp_path / "state", claims=20)) as running:
        yield Visitor(running), password


@pytest.fixture
def visitor(running: Running) -> Visitor:
    return Visitor(running)


@pytest.fixture
def employee(visitor: Visitor, password: str) -> Visitor:
    visitor.sign_in(password)
    return visitor


@pytest.fixture
def admin(employee: Visitor) -> Visitor:
    employee.become_admin()
    return employee


def token_in(answer: Answer) -> str:
    return re.search(r"<textarea[^>]*>([^<]+)</textarea>", answer.text)[1]


def names(running: Running) -> list[str]:
    return [entry.name for entry in tokens.listed(running.settings.state_dir)]


def test_strangers_are_led_to_the_sign_in(visitor: Visitor):
    """No page but the sign-in shows anything without a session."""
    for path in ("/", *PAGES):
        answer = visitor.get(path)
        assert (answer.status, answer.headers["Location"], answer.text) == (303, "/sign-in", "")


def test_the_ordinary_role_sees_no_setup(employee: Visitor, running: Running):
    """Its links do not lead there, and direct addresses and forms are refused with 403."""
    assert 'href="/setup' not in employee.get("/home").text
    for path in (*ADMIN_PAGES, f"/setup/api-tokens/{running.token_id}", f"/setup/api-tokens/{running.token_id}/revoke"):
        assert employee.get(path).status == 403, path
    before = names(running)
    assert employee.post("/setup/api-tokens", name="x").status == 403
    assert employee.post(f"/setup/api-tokens/{running.token_id}/revoke").status == 403
    assert names(running) == before
    assert {entry.revoked_at for entry in tokens.listed(running.settings.state_dir)} == {None}


def test_an_administrator_issues_and_revokes(admin: Visitor, running: Running):
    """The token of the page opens the API; the list tells dates and states; a revoked one says so."""
    path, shown = admin.issue("Dashboards <b>")
    entry = tokens.listed(running.settings.state_dir)[-1]
    gate = tokens.open_gate(running.settings.state_dir)
    assert gate.admits(f"Bearer {token_in(shown)}", datetime.now(UTC))
    assert entry.expires_at - entry.issued_at == timedelta(days=730)
    assert path == f"/setup/api-tokens/{entry.id}"
    listing = admin.get("/setup/api-tokens").text
    assert "Dashboards &lt;b&gt;" in listing
    assert "Dashboards <b>" not in listing
    assert f'<time datetime="{entry.issued_at.isoformat()}">' in listing
    assert f'<time datetime="{entry.expires_at.isoformat()}">' in listing
    active = listing.count('state active">Active')
    assert active == sum(one.state(datetime.now(UTC)) == "active" for one in tokens.listed(running.settings.state_dir))
    assert admin.get(f"{path}/revoke").status == 200
    assert admin.post(f"{path}/revoke").headers["Location"] == "/setup/api-tokens"
    listing = admin.get("/setup/api-tokens").text
    assert listing.count('state revoked">Revoked') == 1
    assert listing.count('state active">Active') == active - 1
    assert not tokens.open_gate(running.settings.state_dir).admits(f"Bearer {token_in(shown)}", datetime.now(UTC))


def test_a_token_is_shown_once(admin: Visitor):
    """Not on reload, not in the list, not to another session; and nothing that shows one may be stored."""
    path, shown = admin.issue("once")
    token = token_in(shown)
    assert shown.headers["Cache-Control"] == "no-store"
    for again in (path, path, "/setup/api-tokens", f"{path}/revoke", "/home"):
        assert token not in admin.get(again).text
    assert "Token already shown" in admin.get(path).text


def test_a_token_waiting_to_be_shown_is_its_sessions_own(admin: Visitor, running: Running, password: str):
    """Another signed-in administrator cannot fetch it first."""
    path = admin.post("/setup/api-tokens", name="mine").headers["Location"]
    other = Visitor(running)
    other.sign_in(password)
    other.become_admin()
    assert "Token already shown" in other.get(path).text
    assert token_in(admin.get(path)).startswith("eyJ")


@pytest.mark.parametrize("path", ["/setup/api-tokens", "/setup/api-tokens/{id}/revoke", "/role", "/sign-out"])
@pytest.mark.parametrize(
    "sent",
    [
        {"csrf": None},
        {"csrf": "guessed"},
        {"origin": "https://elsewhere.invalid"},
        {"origin": "null"},
        {"origin": "https://127.0.0.1:1"},
        {"origin": None},
    ],
    ids=lambda sent: "-".join(f"{key}={value}" for key, value in sent.items()),
)
def test_forms_that_are_not_our_own_are_refused(admin: Visitor, running: Running, path: str, sent: dict):
    """Without the session's token, or not from this very origin, a form changes nothing: 403."""
    before = tokens.listed(running.settings.state_dir)
    answer = admin.post(path.format(id=running.token_id), name="forged", role="employee", **sent)
    assert answer.status == 403
    assert tokens.listed(running.settings.state_dir) == before
    assert admin.get("/setup").status == 200


def test_signing_in_needs_the_forms_token_too(visitor: Visitor, password: str):
    """Nobody can be signed in from outside."""
    visitor.get("/sign-in")
    for sent in ({"csrf": None}, {"origin": "https://elsewhere.invalid"}, {"origin": None}):
        assert visitor.post("/sign-in", user=account.USER, password=password, **sent).status == 403
    assert visitor.post("/sign-in", user=account.USER, password=password).status == 303


def test_foreign_origins_are_refused_on_every_path_of_the_port(visitor: Visitor):
    """Also where no page is: a website that the user visits cannot drive the sandbox."""
    assert visitor.post("/anything", origin="https://elsewhere.invalid").status == 403
    assert visitor.ask("DELETE", "/journal", Origin="https://elsewhere.invalid").status == 403


def test_another_host_name_is_no_own_origin(admin: Visitor):
    """A name that was made to point here does not count as this page, however consistent it looks."""
    headers = {"Content-Type": "application/x-www-form-urlencoded", "Host": "rebound.invalid"}
    answer = admin.ask(
        "POST", "/sign-out", urlencode({"csrf": admin.csrf}), Origin="https://rebound.invalid", **headers
    )
    assert answer.status == 403


def test_the_cookie_is_locked_down_and_new_with_every_change_of_rights(visitor: Visitor, password: str):
    """__Host-, Secure, HttpOnly, SameSite=Strict; new on sign-in and on each switch, the old one worthless."""
    visitor.sign_in(password)
    visitor.become_admin()
    visitor.post("/role", role="employee")
    given = visitor.cookies_seen
    assert len(given) == len({one.partition(";")[0] for one in given}) == 4
    for one in given:
        assert one.startswith("__Host-sandbox=")
        attributes = {part.strip().lower() for part in one.split(";")[1:]}
        assert attributes == {"secure", "httponly", "samesite=strict", "path=/"}
        assert len(one.partition(";")[0]) >= len("__Host-sandbox=") + 43
    for old in given[:-1]:
        visitor.cookie = old.partition(";")[0]
        assert visitor.get("/home").headers["Location"] == "/sign-in"


def test_signing_out_ends_the_session_on_the_server(admin: Visitor):
    """The cookie is taken back, and is worth nothing to whoever kept it."""
    kept = admin.cookie
    taken = admin.post("/sign-out").headers["Set-Cookie"]
    assert "Max-Age=0" in taken
    admin.cookie = kept
    assert admin.get("/home").status == 303


def test_every_answer_is_guarded(admin: Visitor):
    """Pages, forms, assets, errors and the journal carry the same protection; only assets may be kept."""
    for path in (*PAGES, "/", "/sign-in", "/nowhere", "/journal", "/assets/style.css", "/assets/../account.json"):
        headers = admin.get(path).headers
        policy = dict(part.strip().partition(" ")[::2] for part in headers["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == "'none'"
        assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
        assert policy["form-action"] == policy["script-src"] == policy["style-src"] == "'self'"
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert headers["Cache-Control"] == ("no-cache" if path == "/assets/style.css" else "no-store")
        assert "aiohttp" not in headers["Server"].lower()


def test_pages_have_nothing_inline_and_nothing_from_outside(admin: Visitor, running: Running):
    """No inline script, style or handler; every address is one of this port's own."""
    for path in (*PAGES, "/setup/api-tokens/none", f"/setup/api-tokens/{running.token_id}/revoke"):
        text = admin.get(path).text
        assert not re.search(r"<style|style=|\son\w+=|javascript:|<script(?! src)", text)
        assert all(one.startswith(("/", "#")) for one in re.findall(r'(?:href|src|action)="([^"]*)"', text))
    for name in ("style.css", "copy.js"):
        assert not re.search(r"https?:|@import|url\(", admin.get(f"/assets/{name}").text)


def test_guessing_is_braked_even_for_the_right_password(lone: tuple[Visitor, str]):
    """After five attempts: 429 with Retry-After; it does not say whether name or password was wrong."""
    visitor, password = lone
    visitor.get("/sign-in")
    wrong = visitor.post("/sign-in", user=account.USER, password="no")
    unknown = visitor.post("/sign-in", user="someone@sandbox.invalid", password=password)
    said = [re.search(r'role="alert">(.*?)</p>', answer.text)[1] for answer in (wrong, unknown)]
    assert said[0] == said[1]
    assert {wrong.status, unknown.status} == {403}
    for _ in range(3):
        assert visitor.post("/sign-in", user=account.USER, password="no").status == 403
    braked = visitor.post("/sign-in", user=account.USER, password=password)
    assert braked.status == 429
    assert 0 < int(braked.headers["Retry-After"]) <= 300
    assert password not in braked.text


def test_a_new_password_signs_out_whoever_is_in(lone: tuple[Visitor, str]):
    """At once, and the old password is no longer taken."""
    visitor, password = lone
    visitor.sign_in(password)
    assert visitor.get("/home").status == 200
    fresh = account.make(visitor.running.settings.state_dir)
    assert visitor.get("/home").status == 303
    visitor.get("/sign-in")
    assert visitor.post("/sign-in", user=account.USER, password=password).status == 403
    assert visitor.sign_in(fresh).status == 303


def test_without_a_password_nobody_gets_in(tmp_path: Path):
    """And the page says which command makes one."""
    with in_thread(SandboxSettings(state_dir=tmp_path, claims=20)) as running:
        visitor = Visitor(running)
        assert "prospend sandbox password" in visitor.get("/sign-in").text
        assert "No password yet" in visitor.get("/sign-in").text
        assert visitor.post("/sign-in", user=account.USER, password="").status == 403


def test_names_are_needed_and_short(admin: Visitor, running: Running):
    """A form that is not right is shown again with the reason; no token is issued."""
    before = names(running)
    for name in ("", "   ", "x" * 61, "bell\x07"):
        answer = admin.post("/setup/api-tokens", name=name)
        assert answer.status == 422
        assert 'role="alert"' in answer.text
    assert names(running) == before
    admin.issue("  two   words ")
    assert names(running)[-1] == "two words"


def test_strange_requests_are_refused_calmly(admin: Visitor):
    """Unknown tokens, unknown assets, large and foreign bodies, other methods: a 4xx, never a 500."""
    assert admin.get("/setup/api-tokens/nothing").status == 404
    assert admin.get("/setup/api-tokens/nothing/revoke").status == 404
    assert admin.post("/setup/api-tokens/nothing/revoke").status == 404
    assert admin.get("/assets/account.json").status == 404
    assert admin.post("/setup/api-tokens", name="x" * 20_000).status == 403
    origin = {"Origin": admin.running.admin_url}
    assert admin.ask("POST", "/role", "{", **origin, **{"Content-Type": "application/json"}).status == 403
    assert admin.ask("PUT", "/home", "", **origin).status == 405
    admin.cookie = "__Host-sandbox=\xff\xfe"
    assert admin.get("/home").status == 303


def test_nothing_secret_is_kept_in_clear(admin: Visitor, running: Running, password: str):
    """Neither password, session id, form token nor API token stands in the state folder; all is the owner's alone."""
    _, shown = admin.issue("kept")
    secrets = [password, admin.cookie.partition("=")[2], admin.csrf, token_in(shown)]
    for path in running.settings.state_dir.rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path.name
        kept = path.read_bytes()
        assert not [secret for secret in secrets if secret.encode() in kept], path.name
    found = account.find(running.settings.state_dir)
    assert found is not None
    assert found.admits(account.USER, password)
    assert not found.admits(account.USER, password + "x")
    assert not found.admits("other@sandbox.invalid", password)


def test_plain_http_gets_nothing(running: Running):
    """The port speaks TLS only: a request in clear gets no byte of HTTP."""
    parts = urlsplit(running.admin_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as plain:
        plain.sendall(b"GET /sign-in HTTP/1.1\r\nHost: localhost\r\n\r\n")
        received = b""
        try:
            while piece := plain.recv(4096):
                received += piece
        except ConnectionResetError:
            pass
    assert b"HTTP" not in received
    assert len(received) < 64


def test_passwords_are_random_and_bounded(tmp_path: Path):
    """Generated ones differ and are long; given ones have 12 to 128 characters; made once means once."""
    first = account.make_once(tmp_path)
    assert re.fullmatch(r"([a-z2-9]{5}-){3}[a-z2-9]{5}", first)
    assert account.make_once(tmp_path) is None
    assert account.make(tmp_path) != first
    for wrong in ("x" * 11, "x" * 129):
        with pytest.raises(ValueError, match="12 to 128"):
            account.put(tmp_path, wrong)
    account.put(tmp_path, "a phrase of one's own")
    assert account.find(tmp_path).admits(account.USER.upper(), "a phrase of one's own")


def test_sessions_end_when_idle_and_in_any_case_in_the_end():
    """Fifteen idle minutes, or eight hours however busy."""
    kept = sessions.Sessions()
    identity, _ = kept.begin(NOW)
    assert kept.find(identity, None, NOW + timedelta(minutes=14)) is not None
    assert kept.find(identity, None, NOW + timedelta(minutes=28)) is not None
    assert kept.find(identity, None, NOW + timedelta(minutes=43)) is None
    identity, _ = kept.begin(NOW)
    for minutes in range(0, 480, 10):
        assert kept.find(identity, None, NOW + timedelta(minutes=minutes)) is not None
    assert kept.find(identity, None, NOW + timedelta(hours=8)) is None


def test_visitors_cannot_push_out_users_nor_fill_the_memory():
    """However many come, their number is bounded, and whoever has signed in stays."""
    kept = sessions.Sessions()
    identity, session = kept.begin(NOW)
    session.salt = b"salt"
    identity = kept.renew(identity, session, NOW)
    first, _ = kept.begin(NOW)
    for _ in range(1000):
        kept.begin(NOW)
    assert kept.find(identity, b"salt", NOW) is session
    assert kept.find(first, None, NOW) is None
    assert len(kept._by_hash) <= 256
    assert not [key for key in kept._by_hash if key == identity]
    assert kept.find(identity, b"another password", NOW) is None


def test_the_brake_counts_attempts_that_are_under_way_and_lets_go_in_time():
    """Five at once count as five; the sixth may begin when the first is five minutes old."""
    brake = sessions.Brake()
    assert [brake.wait(NOW) for _ in range(5)] == [None] * 5
    assert brake.wait(NOW + timedelta(minutes=1)) == timedelta(minutes=4)
    assert brake.wait(NOW + timedelta(minutes=5)) is None
    brake.release()
    assert [brake.wait(NOW) for _ in range(5)] == [None] * 5
