"""Back to an earlier generation: the pointer moves, files stay as they are."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

from pipeline.durable import storing
from pipeline.errors import ConfigError, StoredDataDamaged
from pipeline.model import run_order
from pipeline.warehouse.content import refuse_damage
from pipeline.warehouse.publishing import announce, finish_switch, generations
from pipeline.warehouse.read import open_file, snapshot_info
from pipeline.warehouse.values import Generation


def rollback(warehouse_dir: Path, pointer: Path, run_id: str | None = None) -> Generation:
    """Whoever opens `pointer` from now on reads an earlier generation; all of it was read before and is whole.

    Args:
        warehouse_dir: where generations lie.
        pointer: the link that readers open.
        run_id: the generation to go back to; None for the newest one before the current.

    Raises:
        ConfigError: there is no such generation.
        StoredDataDamaged: it is not what was written, or is another run's; the pointer stays where it was.
    """
    chosen = _chosen(generations(warehouse_dir, pointer), run_id, pointer)
    where = f"rollback · {chosen.run_id}"
    refuse_damage(chosen.path)
    with closing(open_file(chosen.path)) as connection:
        if snapshot_info(connection).run_id != chosen.run_id:
            raise StoredDataDamaged("the file holds another run than its name says", where=where)
    with storing(where):
        announce(pointer, chosen.path)
        finish_switch(pointer)
    return replace(chosen, is_current=True)


def _chosen(found: tuple[Generation, ...], run_id: str | None, pointer: Path) -> Generation:
    current = next((one for one in found if one.is_current), None)
    if run_id is None:
        # A pointer to a generation that is gone still says by its name which one that was.
        name = current.run_id if current else pointer.readlink().stem if pointer.is_symlink() else ""
        earlier = [one for one in found if name and run_order(one.run_id) < run_order(name)]
        if not earlier:
            raise ConfigError("there is no earlier generation", where="rollback", do="see `prospend status`")
        return earlier[0]
    for one in found:
        if one.run_id == run_id:
            return one
    there_are = ", ".join(one.run_id for one in found) or "none"
    raise ConfigError(
        f"there is no generation {run_id}; there are: {there_are}", where="rollback", do="name one of them"
    )
