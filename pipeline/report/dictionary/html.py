"""The dictionary as one HTML file that needs nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from pipeline.report.dictionary.drawing import drawing
from pipeline.report.dictionary.text import LIKE_CURRENT, TITLES, beside, made_from, marks
from pipeline.report.dictionary.values import DescribedColumn, DescribedTable, Dictionary

_STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1c2530; --soft: #5b6773; --line: #d5dbe1; --back: #fff; --head: #f3f5f8; --link: #0b57a4;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e4e8ec; --soft: #a3adb8; --line: #3a444f; --back: #14191f; --head: #1e262e; --link: #83bdf7 }
}
body {
  margin: 0 auto; max-width: 76rem; padding: 1.5rem 1rem 4rem;
  background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, sans-serif;
}
a { color: var(--link) }
h1 { margin: 0 0 .25rem } h2 { margin: 2.5rem 0 .25rem } h3 { margin: 2rem 0 .25rem; font-size: 1.05rem }
p { margin: .25rem 0 .75rem; max-width: 60rem } .soft { color: var(--soft) }
.wide { overflow-x: auto }
table { border-collapse: collapse; width: 100%; font-size: .87rem }
th, td { border-bottom: 1px solid var(--line); padding: .3rem .6rem .3rem 0; text-align: left; vertical-align: top }
thead th { color: var(--soft); font-weight: 600 } tbody th { font-weight: 600 }
code { font: .95em ui-monospace, monospace; overflow-wrap: anywhere }
input {
  background: var(--back); border: 1px solid var(--soft); border-radius: 4px; color: inherit;
  font: inherit; padding: .35rem .6rem; width: min(24rem, 100%);
}
nav ul { columns: 15rem; list-style: none; margin: .25rem 0 1rem; padding: 0 } [hidden] { display: none }
svg rect { fill: var(--head); stroke: var(--line) } svg path { fill: none; stroke: var(--soft) }
svg text { fill: var(--soft); font: 11px system-ui, sans-serif } svg .name { fill: var(--ink); font-weight: 600 }
@media print { input, label { display: none } section { break-inside: avoid-page } }
"""
# Shows the tables in which every word that was typed occurs.
_SCRIPT = """
const field = document.getElementById('search'), sections = [...document.querySelectorAll('section[id]')];
const texts = sections.map(section => section.textContent.toLowerCase());
field.addEventListener('input', () => {
  const words = field.value.toLowerCase().split(/\\s+/).filter(Boolean);
  sections.forEach((section, at) => { section.hidden = !words.every(word => texts[at].includes(word)) });
});
"""
_HEADER = ("column", "type", "", "meaning", "source", "evidence")


def as_html(dictionary: Dictionary) -> str:
    """A page with a diagram, an index and a field to search in."""
    return "".join(_parts(dictionary))


def _parts(dictionary: Dictionary) -> Iterator[str]:
    current = {table.name: table for table in dictionary.of_schema("prospend")}
    yield '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>Data dictionary</title><style>{_STYLE}</style></head>\n<body><main>"
    yield f'<h1>Data dictionary</h1><p class="soft">{escape(made_from(dictionary))}</p>'
    yield "<p>The column <em>source</em> names the API's fields that a value is made of; what only joins or filters "
    yield "rows is not counted. <em>Inferred</em> fields are named by no page of the vendor and may be missing.</p>"
    yield '<label for="search">Search tables and columns</label><br><input id="search" type="search">'
    yield "<h2>How the tables hang together</h2>"
    yield f'<div class="wide" tabindex="0" role="group" aria-label="diagram">{drawing(dictionary)}</div>\n'
    for schema, title in TITLES.items():
        if tables := dictionary.of_schema(schema):
            yield f"<h2>Schema <code>{schema}</code></h2><p>{_code(title)}.</p>\n"
            if schema in LIKE_CURRENT:
                yield _like_current(schema, tables, current)
            else:
                yield _index(tables)
                yield from map(_section, tables)
    yield f"</main><script>{_SCRIPT}</script></body></html>\n"


def _index(tables: Iterable[DescribedTable]) -> str:
    entries = "".join(f'<li><a href="#{escape(table.full_name)}">{escape(table.name)}</a></li>' for table in tables)
    return f"<nav><ul>{entries}</ul></nav>\n"


def _section(table: DescribedTable) -> str:
    name = escape(table.full_name)
    rows = "".join(map(_column, table.columns))
    return f'<section id="{name}"><h3>{name}</h3><p>{escape(table.about)}</p>{_table(_HEADER, rows)}</section>\n'


def _column(column: DescribedColumn) -> str:
    values = f" One of: {', '.join(column.known_values)}." if column.known_values else ""
    sources = ", ".join(f"<code>{escape(source)}</code>" for source in column.sources)
    cells = (
        f"<code>{escape(column.type)}</code>",
        escape(marks(column)),
        escape(column.about + values),
        sources,
        escape(column.evidence or ""),
    )
    told = "".join(f"<td>{cell}</td>" for cell in cells)
    return f'<tr><th scope="row"><code>{escape(column.name)}</code></th>{told}</tr>'


def _like_current(schema: str, tables: Iterable[DescribedTable], current: dict[str, DescribedTable]) -> str:
    rows = ""
    for table in tables:
        more = "<br>".join(
            f"<code>{escape(column.name)}</code> {escape(column.type)}: {escape(column.about)}"
            for column in beside(table, current)
        )
        name = escape(table.full_name)
        rows += f'<tr><th scope="row"><code>{name}</code></th><td>{escape(table.about)}</td><td>{more}</td></tr>'
    said = "Each has the columns of the table of the same name in <code>prospend</code>, and those named here."
    header = ("table", "what a row is", "columns besides")
    return f'<section id="{schema}"><p>{said}</p>{_table(header, rows)}</section>\n'


def _table(header: Iterable[str], rows: str) -> str:
    heads = "".join(f'<th scope="col">{name}</th>' if name else "<td></td>" for name in header)
    return f'<div class="wide" tabindex="0"><table><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'


def _code(text: str) -> str:
    """Text with what stands between backticks as code."""
    return "".join(
        f"<code>{escape(part)}</code>" if at % 2 else escape(part) for at, part in enumerate(text.split("`"))
    )
