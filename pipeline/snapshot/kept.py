"""Pages as they were received, kept until their run is published: a run that ended early goes on from them.

One file a run, appended to as answers arrive. The next run reads it instead of asking the source again; everything
else of a run is computed from pages, so nothing else is kept. A kill loses no page that was appended; what a power loss
tears off the end is cut away and asked for again.
"""

from __future__ import annotations

import asyncio
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from struct import Struct
from typing import Any, Final

import pyarrow as pa

from pipeline.durable import make_folder, storing, sync
from pipeline.errors import DiskFull, TooManyPages
from pipeline.model import Params, Request, Response, Send, run_order

NAME: Final = "pages.kept"
KEPT_FORMAT: Final = 2
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700  # raw pages hold names and amounts
_FRAME: Final = Struct("<III")  # bytes of the head, bytes of the body, CRC-32 of both
# A page that came in gzip is kept as it came; for the others, this costs a tenth of parsing them and leaves a fifth.
_CODEC: Final = "lz4"


@dataclass(frozen=True, slots=True)
class Began:
    """A file's first entry: who began it, when, and what was to be read, as a hash of all that decides it."""

    run_id: str
    began_at: datetime
    reading: str


@dataclass(slots=True)
class KeptPages:
    """The kept pages of the run under way; lives in one event loop.

    `began` is of the first run in a chain of runs that went on from each other; `earlier` are their ids, oldest first;
    `found` counts the pages that they had kept, `count` all there are now, in `size_bytes` of at most `max_bytes`.
    `places` says where in the file the answer to a request stands; `entered` at which moments further walkers entered a
    list, under its path and filters.
    """

    path: Path
    began: Began
    max_bytes: int
    earlier: tuple[str, ...] = ()
    found: int = 0
    places: dict[int, int] = field(default_factory=dict, repr=False)
    entered: dict[str, list[datetime]] = field(default_factory=dict, repr=False)
    count: int = 0
    size_bytes: int = 0
    file: int = field(default=-1, repr=False)
    _remembers: bool = field(default=False, repr=False)

    def answering(self, send: Send) -> Send:
        """The same seam, answered from the file where it can be; every other answer is kept before it is used."""

        async def from_file_or_source(request: Request) -> Response:
            if request.turn and not self._remembers:
                self._remember()
            place = self.places.get(mark := _mark(request))
            if place is not None:
                await asyncio.sleep(0)  # an interruption must reach a run that only reads its file
                return self._read(place)
            response = await send(request)
            self._append(mark, response)
            return response

        return from_file_or_source

    def entries(self, path: str, params: Params) -> Sequence[datetime]:
        """At which moments a list was entered by the runs that this one goes on from."""
        return self.entered.get(_list_id(path, params), ())

    def enter(self, path: str, params: Params, moment: datetime) -> None:
        """A walker enters a list here: a run that goes on finds its pages only if it enters there, too."""
        self.write(_framed({"list": _list_id(path, params), "entered": moment.isoformat()}))

    def close(self) -> None:
        """Nothing is kept any more; what was, stays."""
        if self.file >= 0:
            os.close(self.file)
            self.file = -1

    def pause_until(self, moment: datetime) -> None:
        """Nothing more may be asked for before that moment: until then the pages do not age."""
        self.write(_framed({"paused_until": moment.isoformat()}))

    def discard(self) -> None:
        """No page is left: they are published, or must not be used again."""
        self.close()
        with storing(f"staging · {self.path}"):
            self.path.unlink(missing_ok=True)
            with suppress(OSError):  # the folder may hold more
                self.path.parent.rmdir()

    def _remember(self) -> None:
        """From now on this run's own pages are found, too: a walk that begins anew opens its children once more."""
        self.places = {mark: place for place, mark in _pages(self.path)}
        self._remembers = True

    def _append(self, mark: int, response: Response) -> None:
        head = {
            "mark": mark,
            "received_at": response.received_at.isoformat(),
            "server_date": response.server_date,
            "size": len(response.body),
        }
        # What came in gzip and is longer than what it holds was not packed to be short.
        is_packed = 0 < len(response.packed) < len(response.body)
        packed = response.packed if is_packed else pa.compress(response.body, codec=_CODEC, asbytes=True)
        content = _framed(head | {"codec": "gzip" if is_packed else _CODEC}, packed)
        if self.size_bytes + len(content) > self.max_bytes:
            raise TooManyPages(
                f"the pages of this run take more than storage.max_kept_gb = {self.max_bytes / 10**9:g} allows: "
                f"{self.count:,} came, and there are more",
                where="staging",
            )
        if self._remembers:
            self.places[mark] = self.size_bytes
        self.write(content)
        self.count += 1

    def write(self, content: bytes) -> None:
        """Append what `_framed` made."""
        with storing(f"staging · {self.path}"):
            left = memoryview(content)
            while left:
                written = os.write(self.file, left)
                if not written:
                    raise DiskFull("this machine cannot store more", where="staging")
                left = left[written:]
        self.size_bytes += len(content)

    def _read(self, place: int) -> Response:
        with storing(f"staging · {self.path}"):
            head_bytes, body_bytes, _ = _FRAME.unpack(os.pread(self.file, _FRAME.size, place))
            content = os.pread(self.file, head_bytes + body_bytes, place + _FRAME.size)
        head = json.loads(content[:head_bytes])
        body = pa.decompress(content[head_bytes:], head["size"], codec=head["codec"], asbytes=True)
        return Response(body, datetime.fromisoformat(head["received_at"]), head["server_date"])


def begin(folder: Path, began: Began, *, max_bytes: int) -> KeptPages:
    """An empty file in the run's staging folder, to grow to `max_bytes` at most."""
    path = folder / NAME
    kept = KeptPages(path, began, max_bytes)
    with storing(f"staging · {path}"):
        make_folder(folder.parent)
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        kept.file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, _FILE_MODE)
    told = {"format": KEPT_FORMAT, "run_id": began.run_id, "reading": began.reading}
    kept.write(_framed({**told, "began_at": began.began_at.isoformat()}))
    return kept


def go_on(left: Left, folder: Path, *, max_bytes: int) -> KeptPages:
    """The file of an earlier run is this one's: its whole entries can be read, a torn end is cut off."""
    path = folder / NAME
    with storing(f"staging · {path}"):
        folder.mkdir(mode=_FOLDER_MODE, exist_ok=True)
        left.path.rename(path)
        sync(folder)
        kept = KeptPages(path, left.began, max_bytes, (*left.earlier, left.run_id), left.pages, count=left.pages)
        kept.places = {mark: place for place, mark in _pages(path)}
        for _, head, _ in _entries(path):
            if "entered" in head:
                kept.entered.setdefault(head["list"], []).append(datetime.fromisoformat(head["entered"]))
        kept.file = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
        os.ftruncate(kept.file, left.whole_bytes)
        kept.size_bytes = left.whole_bytes
    kept.write(_framed({"after": left.run_id}))
    return kept


@dataclass(frozen=True, slots=True)
class Left:
    """What an earlier run left: its pages, and whether it only took them over (`is_barren`).

    `last_at` is when the last one was kept, or the moment from which a run that stopped at its call budget may go on.
    """

    path: Path
    run_id: str
    began: Began
    earlier: tuple[str, ...]
    pages: int
    whole_bytes: int
    is_barren: bool
    last_at: datetime


def left_by_earlier(data_dir: Path, run_id: str) -> tuple[Left, ...]:
    """What runs before this one left, newest first; a file that cannot be read is as if it were not there."""
    found = []
    paths = (data_dir / "staging").glob(f"*/{NAME}")
    for path in sorted(paths, key=lambda path: run_order(path.parent.name), reverse=True):
        if path.parent.name != run_id and path.is_file() and not path.is_symlink():
            with suppress(OSError, ValueError, KeyError, TypeError):
                found.append(_left(path))
    return tuple(found)


def wholeness(path: Path) -> tuple[int, int]:
    """How many bytes of a file of kept pages can be used, of how many; 0 if it cannot be read at all."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return _left(path).whole_bytes, path.stat().st_size
    return 0, path.stat().st_size


def why_not(left: Left, *, reading: str, now: datetime, within_s: int, max_bytes: int, was_killed: bool) -> str:
    """Why a run that is to read `reading` must not go on from what was left; "" if it may."""
    if left.began.reading != reading:
        return "what is to be read has changed (settings, options of the command, catalogue or program version)"
    if is_too_old(left, now, within_s):
        return "they are older than extract.resume_within"
    if left.whole_bytes >= max_bytes:
        return "they take more than storage.max_kept_gb allows"
    if left.is_barren and was_killed:
        return "a run that went on from them was killed before it read any more"
    return ""


def is_too_old(left: Left, now: datetime, within_s: int) -> bool:
    """Whether no run may go on from what was left any more."""
    return within_s == 0 or (now - left.last_at).total_seconds() >= within_s


def _left(path: Path) -> Left:
    began: Began | None = None
    earlier: list[str] = []
    last_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    pages, end, is_barren = 0, 0, False
    for _, head, after in _entries(path):
        end = after
        if began is None:
            if head["format"] != KEPT_FORMAT:
                raise ValueError("another format")
            began = Began(head["run_id"], datetime.fromisoformat(head["began_at"]), head["reading"])
        elif "after" in head:
            earlier.append(head["after"])
            is_barren = True
        elif "paused_until" in head:
            last_at = max(last_at, datetime.fromisoformat(head["paused_until"]))
        elif "mark" in head:
            pages += 1
            is_barren = False
    if began is None:
        raise ValueError("no first entry")
    return Left(path, path.parent.name, began, tuple(earlier), pages, end, is_barren, last_at)


def _pages(path: Path) -> Iterator[tuple[int, int]]:
    """Where each page's entry begins, and the mark of its request; the newest of two answers to one request is last."""
    for place, head, _ in _entries(path):
        if "mark" in head:
            yield place, head["mark"]


def _entries(path: Path) -> Iterator[tuple[int, dict[str, Any], int]]:
    """Every whole entry up to the first that is not: where it begins, its head, where it ends."""
    with path.open("rb") as file:
        place = 0
        while len(frame := file.read(_FRAME.size)) == _FRAME.size:
            head_bytes, body_bytes, crc = _FRAME.unpack(frame)
            content = file.read(head_bytes + body_bytes)
            if len(content) < head_bytes + body_bytes or zlib.crc32(content) != crc or not head_bytes:
                return
            after = place + _FRAME.size + len(content)
            yield place, json.loads(content[:head_bytes]), after
            place = after


def _mark(request: Request) -> int:
    """Names a request by what is asked, and by which time in this run it is asked on purpose."""
    turn = [request.purpose, request.round_number, request.turn]
    asked = json.dumps([request.path, request.params, turn]).encode()
    return int.from_bytes(blake2b(asked, digest_size=8).digest(), "little")


def _list_id(path: str, params: Params) -> str:
    return json.dumps([path, params])


def _framed(head: dict[str, Any], packed: bytes = b"") -> bytes:
    told = json.dumps(head).encode()
    return _FRAME.pack(len(told), len(packed), zlib.crc32(packed, zlib.crc32(told))) + told + packed
