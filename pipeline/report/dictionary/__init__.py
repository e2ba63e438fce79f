"""The data dictionary: what every table and column of a warehouse means, as Markdown, HTML or JSON."""

from pipeline.report.dictionary.html import as_html
from pipeline.report.dictionary.links import Link, links_of
from pipeline.report.dictionary.markdown import as_markdown
from pipeline.report.dictionary.reading import described
from pipeline.report.dictionary.text import as_json
from pipeline.report.dictionary.values import DescribedColumn, DescribedTable, Dictionary

__all__ = [
    "DescribedColumn",
    "DescribedTable",
    "Dictionary",
    "Link",
    "as_html",
    "as_json",
    "as_markdown",
    "described",
    "links_of",
]
