"""The whole document: masthead, chapters, style and script, and a policy that lets the browser load nothing else."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
import math
from functools import cache

from pipeline.report.drawing import drawn
from pipeline.report.page import answers, wording
from pipeline.report.page.answers import Answer, Connection
from pipeline.report.page.approvals import approvals
from pipeline.report.page.attention import attention
from pipeline.report.page.blocks import Writer, section
from pipeline.report.page.headline import keys
from pipeline.report.page.markup import Child, Markup, joined, raw, tag
from pipeline.report.page.nights import nights
from pipeline.report.page.payables import payables
from pipeline.report.page.pictures import Draw, Pictures
from pipeline.report.page.spending import spending
from pipeline.report.page.subject import MOST_CURRENCIES, Subject
from pipeline.report.page.taxes import taxes
from pipeline.report.values import ReportFacts

_CHAPTERS = (
    ("keys", "Key figures"),
    ("spend", "Spend"),
    ("payables", "Open documents"),
    ("approvals", "Approval time"),
    ("tax", "Tax"),
    ("attention", "Worth a look"),
    ("night", "The night behind it"),
)


def page(connection: Connection, facts: ReportFacts, *, draw: Draw = drawn) -> str:
    """The report of a published warehouse as one HTML document.

    Args:
        connection: open and read-only, to a warehouse with its marts.
        facts: which site and run, and how people and times are to be shown.
        draw: how charts become pictures.

    Raises:
        ConfigError: the site's time zone is not known.
    """
    zone = wording.zone_of(facts.timezone)
    ((run_id, data_as_at, _),) = answers.ask(connection, "night", {}).rows
    today = data_as_at.astimezone(zone).date()
    words = {"today": f"DATE '{today}'", "run": f"'{run_id}'"}
    moment = answers.ask(connection, "moment", words)
    people = answers.statement("people_masked" if facts.mask_people else "people_as_named", {})
    words |= {
        "month_start": f"DATE '{moment.value(0, 'month_on')}'",
        "year_start": f"DATE '{moment.value(0, 'fiscal_year_start_on')}'",
        "quarter_start": f"DATE '{moment.value(0, 'bas_quarter_start_on')}'",
        "quarter": f"'{moment.value(0, 'bas_quarter')}'",
        "people": people,
    }

    @cache
    def ask(name: str) -> Answer:
        return answers.ask(connection, name, words)

    coverage = ask("coverage")
    currencies = [str(row[0]) for row in ask("currencies").rows]
    subject = Subject(
        ask=ask,
        write=Writer(zone),
        pictures=Pictures(),
        today=today,
        fiscal_year=moment.value(0, "fiscal_year"),
        year_start=moment.value(0, "fiscal_year_start_on"),
        quarter=moment.value(0, "bas_quarter"),
        currencies=tuple(currencies[:MOST_CURRENCIES]),
        coverage=dict(zip(coverage.columns, coverage.rows[0], strict=True)),
    )
    further = currencies[MOST_CURRENCIES:]
    body = joined(
        tag("a", "Skip to the figures", href="#keys", class_="skip"),
        _masthead(facts, moment, subject),
        _bar(subject),
        tag(
            "main",
            section(
                "keys",
                "Key figures",
                joined(
                    f"As at {wording.day(today)}. Amounts of different currencies are never added: choose one above.",
                    f" Also in use: {', '.join(further)}." if further else None,
                ),
                keys(subject) if subject.currencies else tag("p", EMPTY, class_="missing"),
            ),
            spending(subject),
            payables(subject),
            approvals(subject),
            taxes(subject),
            attention(subject),
            nights(subject),
            class_="sheet",
        ),
        _footer(facts, moment),
    )
    return subject.pictures.filled(_whole(facts, today.isoformat(), body, subject), draw)


EMPTY = "These books hold no claim and no invoice yet. As soon as a night has read some, their figures stand here."


def _masthead(facts: ReportFacts, moment: Answer, subject: Subject) -> Markup:
    as_at = moment.value(0, "data_as_at")
    zone = subject.write.zone
    old = wording.age((facts.written_at - as_at).total_seconds())
    checks = subject.ask("checks")
    failed = sum(not passed for passed in (row[2] for row in checks.rows))
    told: list[Child] = [
        _fact(
            "Data as at",
            tag("time", wording.moment(as_at, zone), datetime=as_at.isoformat(), data_age=True),
            tag("span", f"{old} old when written", id="age"),
        ),
        _fact("Written", wording.moment(facts.written_at, zone), f"run {moment.value(0, 'run_id')}"),
        _token(facts),
        _fact(
            "Checks",
            f"{len(checks.rows) - failed} of {len(checks.rows)} held",
            tag("a", "what was checked", href="#checks"),
            is_wrong=failed > 0,
        ),
        _fact("Time zone", facts.timezone, "for all days, months and times"),
    ]
    return tag(
        "header",
        tag("p", "Expenses and payables", class_="eyebrow"),
        tag("h1", facts.site),
        tag("p", wording.long_day(subject.today), class_="dateline"),
        tag("dl", told, class_="facts"),
        class_="masthead sheet",
    )


def _fact(name: str, value: Child, more: Child, *, is_wrong: bool = False) -> Markup:
    return tag("div", tag("dt", name), tag("dd", value, tag("small", more)), class_="is-wrong" if is_wrong else None)


def _token(facts: ReportFacts) -> Markup:
    if facts.token_expires_at is None:
        return _fact("API token", "expiry unknown", "the token does not say")
    zone = wording.zone_of(facts.timezone)
    days = math.floor((facts.token_expires_at - facts.written_at).total_seconds() / 86_400)
    if days < 0:
        return _fact("API token", "expired", wording.day(facts.token_expires_at.astimezone(zone).date()), is_wrong=True)
    return _fact(
        "API token",
        f"{wording.count_of(days, 'day')} left",
        f"until {wording.day(facts.token_expires_at.astimezone(zone).date())}",
        is_wrong=days < 30,
    )


def _bar(subject: Subject) -> Markup:
    links = [tag("li", tag("a", title, href=f"#{anchor}")) for anchor, title in _CHAPTERS]
    switch = [
        joined(
            tag("input", type="radio", name="currency", id=f"c{n}", checked=n == 0),
            tag("label", currency, for_=f"c{n}"),
        )
        for n, currency in enumerate(subject.currencies)
    ]
    return tag(
        "div",
        tag(
            "div",
            tag("nav", tag("ul", links), aria_label="Chapters"),
            tag("fieldset", tag("legend", "Currency"), [tag("span", one) for one in switch], class_="switch")
            if len(switch) > 1
            else None,
            class_="sheet",
        ),
        class_="bar",
    )


def _footer(facts: ReportFacts, moment: Answer) -> Markup:
    return tag(
        "footer",
        tag(
            "p",
            "Each figure on this page is the answer of the statement beside it, run on the published warehouse "
            "(data/warehouse.duckdb): paste it into prospend query, or any tool that opens DuckDB, to have it "
            "again. Amounts are exact; charts show them rounded.",
        ),
        tag("p", "People are shown under made-up names." if facts.mask_people else None),
        tag("p", f"prospend-pipeline {moment.value(0, 'program_version')} · run {moment.value(0, 'run_id')}"),
        class_="sheet",
    )


def _whole(facts: ReportFacts, day: str, body: Markup, subject: Subject) -> str:
    style = _own("style.css") + _switched(len(subject.currencies))
    script = _own("script.js")
    policy = (
        f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"{facts.site}: expenses and payables, {day}"),
        tag("link", rel="icon", href="data:,"),
        tag("style", raw(style)),
    )
    whole = tag("html", head, tag("body", body, tag("script", raw(script))), lang="en-AU")
    return f"<!doctype html>\n{whole}\n"


def _own(name: str) -> str:
    return (importlib.resources.files(__package__) / name).read_text("utf-8")


def _hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _switched(count: int) -> str:
    """Rules that show one currency at a time on a screen; paper has them all."""
    rules = [f"body:has(#c{n}:checked) .per:not(.c{n}) {{ display: none; }}" for n in range(count)]
    return "@media screen {\n.per > .currency { display: none; }\n" + "\n".join(rules) + "\n}\n" if count > 1 else ""
