"""The description of what the sandbox serves, held to the server: record by record, and by schemathesis."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from sandbox_client import client_of, path_of

from pipeline.resources import Column, Kind, Resource, read_catalogue
from pipeline.sandbox import Running, SandboxSettings, in_thread
from pipeline.sandbox.answer import ERRORS
from pipeline.sandbox.openapi import openapi_document, openapi_yaml, own_key
from pipeline.sandbox.record_text import record_changer
from pipeline.sandbox.variants import read_variants, switches
from pipeline.sandbox.yaml_text import yaml_text

CATALOGUE = read_catalogue()
EACH = [(), *((f"{switch.name}={value}",) for switch in switches() for value in switch.values[1:])]
SEED = "20260630"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with in_thread(SandboxSettings(state_dir=tmp_path_factory.mktemp("state"), claims=60)) as found:
        yield found


def document(*variants: str, **settings: Any) -> dict[str, Any]:
    return openapi_document(CATALOGUE, SandboxSettings(state_dir=Path(), variants=read_variants(variants), **settings))


def texts_of(running: Running, resource: Resource) -> list[bytes]:
    """Every record of a resource as the default books write it."""
    state = running.host.state
    table = state.books.tables[resource.name]
    return [table.one(row, state.books.shelf) for row in range(table.row_count)]


def schema_of(described: dict[str, Any], name: str) -> dict[str, Any]:
    """One schema of the document that stands on its own."""
    return {"$ref": f"#/components/schemas/{name}", "components": described["components"]}


def title(resource: Resource) -> str:
    return resource.name.title().replace("_", "")


@pytest.mark.parametrize("variants", EACH, ids="+".join)
def test_the_text_is_the_document(variants: tuple[str, ...]):
    """Read back by a YAML parser, it is what was written."""
    settings = SandboxSettings(state_dir=Path(), variants=read_variants(variants))
    assert yaml.safe_load(openapi_yaml(CATALOGUE, settings)) == openapi_document(CATALOGUE, settings)


@pytest.mark.parametrize(
    "value",
    [
        *("plain words", "", " padded ", "yes", "No", "null", "~", "1", "1.5e3", "0x1f", "2026-06-30", "12:30", "a: b"),
        *("# no", "a #b", "- x", "- ", "?", "[a", "{a", "}", "&a", "*a", "!a", "|", ">", "%a", "@a", "`a", "'a", '"a'),
        *("Kōwhai", "two\nlines", "tab\t", "\u2028", "\x00", "a,b", "a]", "=", "<<", "true", "off", "e\u0301", "🥝"),
        *(
            None,
            True,
            False,
            0,
            -7,
            1.5,
            [],
            {},
            [[]],
            [{}],
            [[1, [2]], {"a": [{"b": "c", "d": {}}]}],
            {"on": {"1": []}},
        ),
    ],
)
def test_any_value_reads_back_the_same(value: object):
    """As a whole document, as a name, inside a list and inside a mapping."""
    assert yaml.safe_load(yaml_text(value)) == value
    assert yaml.safe_load(yaml_text([value, {"inside": value}])) == [value, {"inside": value}]
    if isinstance(value, str):
        assert yaml.safe_load(yaml_text({value: value})) == {value: value}


def test_what_is_no_plain_data_is_refused():
    """Rather than written as something else."""
    with pytest.raises(TypeError):
        yaml_text({"a": {1, 2}})


def test_it_is_served_to_anyone_and_printed(running: Running, prospend):
    """Without a token, on the data port, the same text that the command prints."""
    with client_of(running) as client:
        got = client.get("/openapi.yaml", Authorization="")
        assert got.status == 200
        assert got.headers["Content-Type"] == "application/yaml"
        assert client.get("/openapi.yaml", method="POST").status == 405
        assert client.get("/openapi.yaml/x", Authorization="").status == 401
    assert got.body.decode() == prospend("sandbox", "openapi").out
    assert yaml.safe_load(got.body) == openapi_document(CATALOGUE, running.settings)
    switched = yaml.safe_load(prospend("sandbox", "openapi", "--variant", "names=old", "--hourly-limit", "9").out)
    assert switched == document("names=old", hourly_limit=9)


def test_it_lists_every_path_and_parameter_of_the_catalogue():
    """Lists, single records where they exist, the catalogue's filters, limit and cursor; every one explained."""
    described = document()
    wanted = {}
    for resource in CATALOGUE:
        path = resource.path.replace("{version}", "beta")
        wanted[path] = {*resource.context_names, *resource.filters, "limit", "cursor"}
        if resource.has_single:
            wanted[f"{path}/{{{own_key(resource)}}}"] = {*resource.context_names, own_key(resource)}
    found = {}
    for path, methods in described["paths"].items():
        assert methods.keys() == {"get"}
        parameters = [
            described["components"]["parameters"][one["$ref"].rpartition("/")[2]] if "$ref" in one else one
            for one in methods["get"]["parameters"]
        ]
        assert all(one["description"] for one in parameters)
        found[path] = {one["name"] for one in parameters}
        assert methods["get"]["responses"].keys() == {"200", *(str(status) for status in ERRORS if status != 429)}
    assert found == wanted


def test_it_says_what_the_settings_say():
    """The greatest page, limits of calls and lifetimes of cursors, where there are any."""
    limit = document(page_cap=77)["components"]["parameters"]["limit"]
    assert "77" in limit["description"]
    assert document("over_cap=refuse", page_cap=77)["components"]["parameters"]["limit"]["schema"]["maximum"] == 77
    assert all("429" in path["get"]["responses"] for path in document(monthly_limit=5)["paths"].values())
    lifetimes = document(cursor_lifetime_s=12, cursor_lifetime_pages=34)["components"]["parameters"]["cursor"]
    assert "12 seconds" in lifetimes["description"]
    assert "34 pages" in lifetimes["description"]
    company = document("company=array")["paths"]["/beta/company"]["get"]
    assert [one["$ref"].rpartition("/")[2] for one in company["parameters"]] == ["limit"]


@pytest.mark.parametrize("variants", EACH, ids="+".join)
def test_every_record_is_as_described(running: Running, variants: tuple[str, ...]):
    """All records of all resources: known names, the types said, and under any variant not as under another one."""
    described = document(*variants)
    chosen = read_variants(variants)
    for resource in CATALOGUE:
        fits = jsonschema_rs.Draft202012Validator(schema_of(described, title(resource)), validate_formats=True)
        change = record_changer(resource, chosen) if chosen.change_records else bytes
        for text in texts_of(running, resource):
            fits.validate(json.loads(change(text)))


@pytest.mark.parametrize("variants", [(), ("names=old", "not_yet=missing", "number_ids=on", "totals=single")], ids=len)
def test_what_changes_with_time_stays_as_described(tmp_path: Path, variants: tuple[str, ...]):
    """After some months of the clock every list holds only what the description allows, under variants too."""
    described = document(*variants)
    chosen = SandboxSettings(state_dir=tmp_path, claims=40, variants=read_variants(variants))
    with in_thread(chosen) as moved:
        moved.advance(90)
        for resource in CATALOGUE:
            wide = {name: "true" for name in resource.filters if name.lower().startswith("include")}
            fits = jsonschema_rs.Draft202012Validator(schema_of(described, title(resource)), validate_formats=True)
            records = moved.records(resource.name, **wide)
            assert records
            for _, record in records:
                fits.validate(json.loads(json.dumps(record, default=float)))


@pytest.mark.parametrize("name", ["seven_digits", "number_ids", "names", "totals", "not_yet"])
def test_a_description_of_one_variant_does_not_fit_another(running: Running, name: str):
    """Where a variant changes types or names, a claim of the other kind is refused by the description."""
    values = next(switch.values for switch in switches() if switch.name == name)
    claim = CATALOGUE["claim"]
    kinds = {value: read_variants([f"{name}={value}"]) for value in values}
    misfits = 0
    for value in values:
        fits = jsonschema_rs.Draft202012Validator(schema_of(document(f"{name}={value}"), "Claim"))
        for other, chosen in kinds.items():
            texts = [record_changer(claim, chosen)(text) for text in texts_of(running, claim)]
            misfits += other != value and not all(fits.is_valid(json.loads(text)) for text in texts)
    assert misfits >= (0 if name == "seven_digits" else 1)


@pytest.mark.parametrize("resource", list(CATALOGUE), ids=lambda resource: resource.name)
def test_nothing_is_described_that_is_never_sent(running: Running, resource: Resource):
    """Each described field occurs, nested ones included."""
    records = [json.loads(text) for text in texts_of(running, resource)]
    described = document()["components"]["schemas"][title(resource)]["properties"]
    assert set(described) == {name for record in records for name in record}
    for column in resource.columns:
        if column.columns:
            assert names_inside(records, column) == {inner.name for inner in column.columns}, column.name


def names_inside(records: list[dict[str, Any]], column: Column) -> set[str]:
    values = [record[column.name] for record in records]
    objects = [each for value in values for each in value] if column.kind is Kind.LIST else values
    return {name for each in objects for name in each}


# ---- schemathesis ---------------------------------------------------------------------------------------------------


def known_keys(running: Running) -> dict[str, str]:
    """Keys that exist, each under the others before it, for most of the paths that are tried."""
    claim = running.records("expense_split")[0][0]
    line = next(context for context, _ in running.records("invoice_split") if context[0] == claim[0])
    keys = dict(zip(CATALOGUE["expense_split"].context_names, claim, strict=True))
    keys |= dict(zip(CATALOGUE["invoice_split"].context_names, line, strict=True))
    for name in ("entity", "division", "tax_code", "supplier", "project", "portfolio"):
        keys[own_key(CATALOGUE[name])] = running.records(name, (claim[0],))[0][1]["id"]
    return keys


def schemathesis(running: Running, folder: Path, location: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it against the sandbox with a fixed seed; most keys in paths are ones that exist."""
    lines = ['[headers]\nAuthorization = "Bearer ${SANDBOX_TOKEN}"']
    keys = known_keys(running)
    lines += [f'[dictionaries.{name}]\nvalues = ["{key}"]' for name, key in keys.items()]
    lines += ["[parameters]", *(f'"path.{n}" = {{ dictionary = "{n}", probability = 0.8 }}' for n in keys)]
    (folder / "schemathesis.toml").write_text("\n".join(lines))
    options = [f"--tls-verify={running.ca_file}", f"--seed={SEED}", "--generation-database=none", "--no-color"]
    return subprocess.run(
        [sys.executable, "-m", "schemathesis.cli", "run", location, f"--url={running.base_url}", *options, *arguments],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder), "SANDBOX_TOKEN": running.token},
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.mark.slow
def test_schemathesis_finds_no_failure(running: Running, tmp_path: Path):
    """Sound and unsound requests to every path, in every way of trying, under every check that applies to reading."""
    running.journal.clear()
    done = schemathesis(
        running,
        tmp_path,
        f"{running.base_url}/openapi.yaml",
        "--phases=coverage,fuzzing,stateful",
        "--max-examples=12",
        # A sound text that is no cursor of ours is refused: `positive_data_acceptance` follows without cursors.
        "--exclude-checks=positive_data_acceptance",
        "--checks=all",
        "--continue-on-failure",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    counts = running.journal.counts
    assert counts.requests_by_resource.keys() == set(CATALOGUE.names)
    assert counts.statuses.keys() == {200, 400, 401, 404, 405}
    assert "No issues found" in done.stdout


@pytest.mark.slow
def test_schemathesis_finds_no_sound_request_refused(running: Running, tmp_path: Path):
    """Whatever fits the description is answered; cursors are left out, as only the server can make them."""
    described = openapi_document(CATALOGUE, running.settings)
    cursor = {"$ref": "#/components/parameters/cursor"}
    for path in described["paths"].values():
        path["get"]["parameters"] = [one for one in path["get"]["parameters"] if one != cursor]
    (tmp_path / "without_cursors.yaml").write_text(yaml_text(described))
    running.journal.clear()
    done = schemathesis(
        running,
        tmp_path,
        "without_cursors.yaml",
        "--phases=coverage,fuzzing",
        "--mode=positive",
        "--max-examples=15",
        "--checks=positive_data_acceptance,response_schema_conformance,not_a_server_error",
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    # What has no method is no request: schemathesis looks first how a server takes bytes that are no HTTP.
    refused = [entry for entry in running.journal.entries if entry.status not in (200, 404) and entry.method]
    assert refused == []
    assert running.journal.counts.statuses[200] > 200


def test_schemathesis_would_find_a_failure(running: Running, tmp_path: Path):
    """One list that breaks its description is told: the runs above are no formality."""
    running.inject("entity", ("1",), [b'{"id":7,"name":"no text","status":"sleeping"}'])
    before = running.host.state
    try:
        done = schemathesis(
            running,
            tmp_path,
            f"{running.base_url}/openapi.yaml",
            "--phases=fuzzing",
            "--max-examples=10",
            "--include-operation-id=list_entity",
            "--checks=response_schema_conformance",
        )
    finally:
        running.host.state = before
    assert done.returncode == 1
    assert "sleeping" in done.stdout


def test_the_description_itself_is_sound(running: Running):
    """Every reference leads somewhere, every operation has a name of its own."""
    described = openapi_document(CATALOGUE, running.settings)
    text = json.dumps(described)
    for part in text.split('"$ref": "#/')[1:]:
        node: Any = described
        for step in part.partition('"')[0].split("/"):
            node = node[step]
    names = [path["get"]["operationId"] for path in described["paths"].values()]
    assert len(names) == len(set(names)) == sum(2 if resource.has_single else 1 for resource in CATALOGUE)
    for path in (path_of(resource, tuple("1" for _ in resource.context_names)) for resource in CATALOGUE):
        assert path.startswith("/beta/company")
