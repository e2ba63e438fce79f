"""Who is to be forgotten, and that it was done: numbered documents in `erasures/`, which name nobody.

    listed   people, by made-up name, who from then on stand nowhere in what is read
    done     that nothing stored tells of them any more: what was rewritten and removed for it

A made-up name is a hash with a key that lies beside the documents: who has both can try ids one by one, as who has the
data folder could read them before. Without the key nobody can.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pipeline.decode import Erased
from pipeline.durable import make_folder, storing, write_sealed
from pipeline.errors import StoredDataDamaged
from pipeline.snapshot.numbered import Kind, add, read_all

ERASURE_FORMAT: Final = 1
KEY_BYTES: Final = 32
_KEY_MODE = 0o400
_DAMAGED_DO = "restore the folder erasures/ from a backup: without it erased people would be read again"


def erasures(data_dir: Path) -> tuple[dict[str, Any], ...]:
    """Every document of erasures, oldest first.

    Raises:
        StoredDataDamaged: one is missing or damaged, or does not follow on the one before.
        VersionMismatch: a newer version of this program wrote one.
    """
    return read_all(_kind(data_dir))


def erased_people(data_dir: Path) -> Erased | None:
    """Everybody who is to be forgotten; None if that is nobody.

    Raises:
        StoredDataDamaged: documents or key are not what was written.
        VersionMismatch: a newer version of this program wrote one.
    """
    return _erased(data_dir, erasures(data_dir))


def list_people(
    data_dir: Path, person_ids: Sequence[str], *, at: str, new_key: Callable[[int], bytes]
) -> tuple[Erased, tuple[str, ...]]:
    """These people are listed, too; everybody who is, and the made-up names of these. Called under the run lock."""
    documents = erasures(data_dir)
    known = _erased(data_dir, documents)
    key = known.key if known else _key(data_dir, new_key)
    listed = known or Erased(key)
    names = tuple(sorted({listed.name_of(one) for one in person_ids}))
    if new := sorted(set(names) - listed.names):
        add(_kind(data_dir), {"type": "listed", "at": at, "people": new, "key_sha256": hashlib.sha256(key).hexdigest()})
    return Erased(key, listed.names | set(names)), names


def pending(documents: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Made-up names of people who are listed, but not proven to be gone everywhere."""
    waiting: dict[str, None] = {}
    for one in documents:
        for name in one["people"]:
            waiting[name] = None
            if one["type"] == "done":
                del waiting[name]
    return tuple(waiting)


def record_done(data_dir: Path, names: Sequence[str], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The proof that nothing stored tells of these people any more stands. Called under the run lock."""
    return add(_kind(data_dir), {"type": "done", "people": list(names), **facts})


def _kind(data_dir: Path) -> Kind:
    return Kind(data_dir / "erasures", "erasures", ERASURE_FORMAT, _DAMAGED_DO)


def _key_path(data_dir: Path) -> Path:
    return data_dir / "erasures" / "key"


def _key(data_dir: Path, new_key: Callable[[int], bytes]) -> bytes:
    """The key of nobody so far: that of an earlier call which ended before it listed anybody, or a new one."""
    path = _key_path(data_dir)
    with storing(f"erasures · {path}"):
        make_folder(path.parent)
        if not path.exists() or path.stat().st_size != KEY_BYTES:
            write_sealed(path, new_key(KEY_BYTES), mode=_KEY_MODE)
        return path.read_bytes()


def _erased(data_dir: Path, documents: Sequence[Mapping[str, Any]]) -> Erased | None:
    listed = [one for one in documents if one["type"] == "listed"]
    if not listed:
        return None
    path = _key_path(data_dir)
    with storing(f"erasures · {path}"):
        key = path.read_bytes() if path.is_file() else b""
    if any(one["key_sha256"] != hashlib.sha256(key).hexdigest() for one in listed):
        raise StoredDataDamaged("the key of the erased people is not what was written", where=str(path), do=_DAMAGED_DO)
    return Erased(key, frozenset(name for one in listed for name in one["people"]))
