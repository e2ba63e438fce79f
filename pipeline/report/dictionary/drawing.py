"""The diagram of the tables as SVG: what hangs under what, from left to right, with references written in the boxes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape

from pipeline.report.dictionary.links import Link, links_of
from pipeline.report.dictionary.values import Dictionary

_WIDTH, _LINE, _PAD, _GAP_X, _GAP_Y = 224, 15, 8, 48, 10


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    x: int
    y: int
    height: int
    references: tuple[str, ...]

    @property
    def middle(self) -> int:
        return self.y + self.height // 2


def drawing(dictionary: Dictionary) -> str:
    """An `<svg>` that needs nothing from elsewhere; each box leads to its table on the same page."""
    links = links_of(dictionary.tables)
    names = [table.name for table in dictionary.of_schema("prospend")]
    boxes = {box.name: box for box in _placed(names, links)}
    if not boxes:
        return ""
    width = max(box.x for box in boxes.values()) + _WIDTH + _PAD
    height = max(box.y + box.height for box in boxes.values()) + _PAD
    parts = [link for link in links if link.is_part]
    lines = "".join(_line(boxes[link.parent], boxes[link.child]) for link in parts)
    drawn = "".join(_box(box) for box in boxes.values())
    return (
        f'<svg viewBox="0 0 {width} {height}" width="{width}" role="group" aria-labelledby="diagram-title">'
        f'<title id="diagram-title">Tables of schema prospend, each beside the one its rows hang under</title>'
        f"{lines}{drawn}</svg>"
    )


def _placed(names: list[str], links: tuple[Link, ...]) -> Iterator[_Box]:
    """A column for each depth; a table stands at the height of the first that hangs under it, its sisters below all."""
    children: dict[str | None, list[str]] = {}
    parent_of = {link.child: link.parent for link in links if link.is_part}
    for name in names:
        children.setdefault(parent_of.get(name), []).append(name)
    references = {
        name: tuple(
            f"{link.columns[-1][0]} → {link.parent}" for link in links if link.child == name and not link.is_part
        )
        for name in names
    }

    def place(parent: str | None, depth: int, y: int) -> Iterator[_Box]:
        for name in _deepest_last(parent, children):
            height = 2 * _PAD + _LINE * (1 + len(references[name]))
            box = _Box(name, _PAD + depth * (_WIDTH + _GAP_X), y, height, references[name])
            boxes = [box, *place(name, depth + 1, y)]
            yield from boxes
            y = _GAP_Y + max(one.y + one.height for one in boxes)

    return place(None, 0, _PAD)


def _deepest_last(name: str | None, children: Mapping[str | None, list[str]]) -> list[str]:
    """Those without children of their own first: lines to them stay short."""
    return sorted(children.get(name, []), key=lambda child: child in children)


def _box(box: _Box) -> str:
    texts = [f'<text class="name" x="{box.x + _PAD}" y="{box.y + _PAD + 11}">{escape(box.name)}</text>']
    texts += [
        f'<text x="{box.x + _PAD}" y="{box.y + _PAD + 11 + _LINE * at}">{escape(text)}</text>'
        for at, text in enumerate(box.references, 1)
    ]
    rect = f'<rect x="{box.x}" y="{box.y}" width="{_WIDTH}" height="{box.height}" rx="4"/>'
    return f'<a href="#prospend.{escape(box.name)}">{rect}{"".join(texts)}</a>'


def _line(parent: _Box, child: _Box) -> str:
    start, turn, end = parent.x + _WIDTH, child.x - _GAP_X // 2, child.x
    return f'<path d="M{start} {parent.middle}H{turn}V{child.middle}H{end}"/>'
