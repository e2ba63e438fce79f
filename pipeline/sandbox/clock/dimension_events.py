"""What happens to dimensions: rows are added, disabled and enabled, deleted and brought back, imported together.

Only rows that nothing refers to are deleted, so that every reference of the books leads somewhere.
"""

from __future__ import annotations

from typing import Final

from pipeline.sandbox.clock.arrivals import unbury
from pipeline.sandbox.clock.dice import Dice
from pipeline.sandbox.clock.documents import COMPANIES
from pipeline.sandbox.clock.filters import Record, instant
from pipeline.sandbox.clock.overlay import Version
from pipeline.sandbox.clock.world import Buried, World, is_for_use
from pipeline.sandbox.data import names

_TURNED_OFF: Final = ("supplier", "division", "project", "tax_code", "portfolio", "entity")
_DISABLED_AT_ONCE: Final = 2
_IMPORTED: Final = 150
_CODED_TAX_CODES: Final = 3  # lines refer to the first three of each company


def live_dimensions(world: World, dice: Dice, day: int, business_day: int) -> None:
    """The events of one business day, each kind in its turn."""
    turn = business_day
    if turn % 2 == 0:
        _add_supplier(world, dice, day)
    if turn % 4 == 1:
        _add_project(world, dice, day)
    _turn_off_or_on(world, dice, day, _TURNED_OFF[turn % len(_TURNED_OFF)])
    if turn % 6 == 5:
        _delete_unused(world, dice, day, "supplier")
    if turn % 9 == 7:
        _delete_unused(world, dice, day, "project")
    if turn % 8 == 4:
        _delete_tax_code(world, dice, day)
    if turn % 6 == 3:
        _delete_element(world, dice, day)
    if turn % 10 in (0, 6):
        for resource in ("supplier", "project", "tax_code"):
            _bring_back(world, dice, day, resource, as_new=turn % 10 == 0)
    if turn % 10 == 8:
        _import_suppliers(world, dice, day)


def _company(dice: Dice) -> str:
    return COMPANIES[int(dice.below(5) == 4)]


def _put(world: World, name: str, day: int, version: Version, record: Record, at_s: int) -> None:
    if "updatedDate" in record:
        record["updatedDate"] = instant(at_s)
    world.busy.add((version.resource, version.context[0], version.key))
    world.note(day, at_s, name, world.ledger.put(version.resource, version.context, record, at_s))


def _add_supplier(world: World, dice: Dice, day: int) -> None:
    company, at_s = _company(dice), dice.moment()
    like = dice.pick(world.rows("supplier", company)).record
    identity = world.numbers.take("supplier")
    name = f"{dice.pick(names.MOODS)} {dice.pick(names.ANIMALS)} {dice.pick(names.TRADES)} {identity}"
    record = {
        **like,
        "id": identity,
        "createdDate": instant(at_s),
        "approvedDate": instant(at_s),
        "updatedDate": instant(at_s),
        "registrationNumber": "",
        "supplierCode": f"NEW{identity}",
        "displayName": name,
        "tradingNames": [name],
        "legalName": f"{name} Limited",
        "isActive": True,
    }
    _came(world, day, "supplier", company, record, at_s)


def _came(world: World, day: int, resource: str, company: str, record: Record, at_s: int) -> None:
    world.came.setdefault((resource, company), []).append(record["id"])
    world.busy.add((resource, company, record["id"]))
    world.note(day, at_s, f"{resource} added", world.ledger.put(resource, (company,), record, at_s))


def _add_project(world: World, dice: Dice, day: int) -> None:
    company, at_s = _company(dice), dice.moment()
    like = dice.pick(world.rows("project", company)).record
    identity = world.numbers.take("project")
    code = f"PRJ{company}{identity}"
    record = {
        **like,
        "id": identity,
        "createdDate": instant(at_s),
        "updatedDate": instant(at_s),
        "name": f"{dice.pick(names.ELEMENTS)} {identity}",
        "projectCode": code,
        "externalReference": f"ERP-{code}",
        "active": True,
    }
    _came(world, day, "project", company, record, at_s)
    for place, name in enumerate(names.ELEMENTS[: 1 + dice.below(3)]):
        element = {"id": f"{identity}{place}", "code": f"{code}.{place + 1}", "name": name, "active": True}
        world.ledger.put("project_wbs", (company, identity), element, at_s)


def _is_on(record: Record) -> bool:
    if "status" in record:
        return bool(record["status"] == "active")
    return bool(record["isActive"] if "isActive" in record else record["active"])


def _switch(record: Record, *, on: bool) -> None:
    if "status" in record:
        record["status"] = "active" if on else "disabled"
    else:
        record["isActive" if "isActive" in record else "active"] = on


def _turn_off_or_on(world: World, dice: Dice, day: int, resource: str) -> None:
    """Disable a row; when some already are, enable the one that has been disabled longest."""
    company, at_s = _company(dice), dice.moment()
    waiting = world.disabled.setdefault(resource, [])
    if len(waiting) >= _DISABLED_AT_ONCE:
        owner, key = waiting.pop(0)
        version = world.ledger.get(resource, (owner,), key)
        if version is not None and (resource, owner, key) not in world.busy:
            record = version.record
            _switch(record, on=True)
            _put(world, f"{resource} enabled", day, version, record, at_s)
        return
    active = [version for version in world.rows(resource, company) if _is_on(version.record)]
    if len(active) > 1:
        version = dice.pick(active)
        record = version.record
        _switch(record, on=False)
        _put(world, f"{resource} disabled", day, version, record, at_s)
        waiting.append((company, version.key))


def _delete_unused(world: World, dice: Dice, day: int, resource: str) -> None:
    at_s = dice.moment()
    for company in COMPANIES:
        unused = [key for key in world.came.get((resource, company), ()) if not is_for_use(key)]
        version = world.ledger.get(resource, (company,), unused[0]) if unused else None
        if version is None or (resource, company, version.key) in world.busy:
            continue
        world.came[resource, company].remove(version.key)
        under = world.ledger.standing("project_wbs", (company, version.key)) if resource == "project" else []
        for element in under:
            world.ledger.drop(element.resource, element.context, element.key, at_s)
        _bury(world, day, f"{resource} deleted", version, under, at_s)
        return


def _bury(world: World, day: int, name: str, version: Version, under: list[Version], at_s: int) -> None:
    world.buried.setdefault(version.resource, []).append(Buried((version, *under)))
    world.busy.add((version.resource, version.context[0], version.key))
    world.ledger.drop(version.resource, version.context, version.key, at_s)
    world.note(day, at_s, name, version)


def _delete_tax_code(world: World, dice: Dice, day: int) -> None:
    company, at_s = _company(dice), dice.moment()
    first = world.ledger.books.tables["tax_code"].group(COMPANIES.index(company)).start
    coded = world.ledger.books.tables["tax_code"].ids[first : first + _CODED_TAX_CODES].tolist()
    spare = [version for version in world.rows("tax_code", company) if int(version.key) not in coded]
    if spare:
        _bury(world, day, "tax_code deleted", dice.pick(spare), [], at_s)


def _delete_element(world: World, dice: Dice, day: int) -> None:
    company, at_s = _company(dice), dice.moment()
    project = dice.pick(world.rows("project", company))
    elements = world.ledger.standing("project_wbs", (company, project.key))
    if elements:
        version = dice.pick(elements)
        world.busy.add(("project", company, project.key))
        world.ledger.drop(version.resource, version.context, version.key, at_s)
        world.note(day, at_s, "project_wbs deleted", version)


def _bring_back(world: World, dice: Dice, day: int, resource: str, *, as_new: bool) -> None:
    buried = world.buried.get(resource, [])
    if any((resource, each.versions[0].context[0], each.versions[0].key) in world.busy for each in buried):
        return  # deleted today
    at_s = dice.moment()
    version = unbury(world, dice, resource, at_s, as_new=as_new)
    if version is not None:
        world.busy.add((resource, version.context[0], version.key))
        world.note(day, at_s, f"{resource} back, {'new' if as_new else 'old'} update", version)


def _import_suppliers(world: World, dice: Dice, day: int) -> None:
    """What a synchronisation with the accounting system does: many rows, one time."""
    at_s = dice.moment()
    for version in world.rows("supplier", COMPANIES[0])[:_IMPORTED]:
        record = version.record
        record["isValidated"] = True
        _put(world, "supplier imported", day, version, record, at_s)
