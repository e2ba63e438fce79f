"""The shape of the source, read from the source: import direction, package ownership, module size, names."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "pipeline"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Highest first. A module may import from rows below its own, and from its own row only its own folder.
LAYERS = (
    ("__main__",),
    ("cli",),
    ("door",),
    ("nightly",),
    ("night",),
    ("account", "earlier", "upkeep", "forecast", "examining", "reports", "telling", "watching"),
    ("session", "extract", "snapshot", "warehouse", "report", "ops", "sandbox"),
    ("auth", "retry", "budget", "planning", "readings", "paginate", "stretches", "decode", "checks", "fills"),
    ("totals", "marts"),
    ("durable", "lean", "tables", "settings", "resources", "model", "written", "errors"),
)
OWNERS = {
    "aiohttp": {"session", "sandbox"},
    "duckdb": {"warehouse"},
    "jwt": {"auth", "sandbox"},
    "pandas": {"report", "sandbox.data"},
    "vl_convert": {"report"},
    "click": {"cli"},
    "rich": {"cli"},
    "cryptography": {"sandbox"},
    "filelock": {"ops", "sandbox"},
    "opentelemetry": {"ops"},
    "xlsxwriter": {"report.workbook"},
}
COMPUTING = (
    "auth",
    "retry",
    "budget",
    "planning",
    "readings",
    "paginate",
    "stretches",
    "decode",
    "checks",
    "fills",
    "totals",
    "marts",
    "tables",
    "resources",
    "model",
    "written",
    "errors",
)
# What a computing module may not touch: clock, environment, randomness, processes, network.
WORLD = {"os", "time", "random", "subprocess", "socket", "secrets", "shutil", "tempfile"}
VAGUE = {"util", "utils", "helper", "helpers", "common", "base", "core", "manager", "misc"}


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def stage_of(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def imports_of(path: Path, *, for_typing: bool) -> set[str]:
    """Every module a file imports, at any depth; imports under TYPE_CHECKING only if asked for."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for child in node.body
        for inner in ast.walk(child)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in typing_only and not for_typing:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {node.module or ""}
    return found


def rank(module: str) -> int:
    stage = stage_of(module)
    return next(i for i, row in enumerate(LAYERS) if stage in row)


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_imports_point_down(path):
    """A module imports only what stands below it; stages of one row never import each other."""
    module = dotted(path)
    if module == "":
        return  # the package's own door names lower modules lazily
    for imported in imports_of(path, for_typing=True):
        if not imported.startswith("pipeline."):
            continue
        target = imported.removeprefix("pipeline.")
        if stage_of(target) == stage_of(module):
            continue
        assert stage_of(target) in {name for row in LAYERS for name in row}, f"{module} imports unknown {target}"
        same_bottom_row = rank(target) == rank(module) == len(LAYERS) - 1
        assert rank(target) > rank(module) or same_bottom_row, f"{module} imports {target}"


def test_the_bottom_row_has_no_cycle():
    """The lowest modules may import each other, but never in a circle."""
    needs = {
        name: {
            stage_of(imported.removeprefix("pipeline."))
            for path in MODULES
            if stage_of(dotted(path)) == name
            for imported in imports_of(path, for_typing=True)
            if imported.startswith("pipeline.")
        }
        - {name}
        for name in LAYERS[-1]
    }
    while ready := [name for name, wanted in needs.items() if not wanted & needs.keys()]:
        for name in ready:
            del needs[name]
    assert not needs


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_packages_have_owners(path):
    """Each outside package is imported only where it is owned."""
    module = dotted(path)
    for imported in imports_of(path, for_typing=False):
        owners = OWNERS.get(imported.split(".")[0])
        if owners is not None:
            assert any(module == owner or module.startswith(f"{owner}.") for owner in owners) or (
                any(module.startswith(owner) for owner in owners if "." in owner)
            ), f"{module} imports {imported}"


@pytest.mark.parametrize("path", [p for p in MODULES if stage_of(dotted(p)) in COMPUTING], ids=dotted)
def test_computing_modules_touch_no_world(path):
    """What only computes reads no clock, environment, randomness or network."""
    assert not {name.split(".")[0] for name in imports_of(path, for_typing=True)} & WORLD
    text = path.read_text()
    assert ".now(" not in text
    assert "open(" not in text.replace("urlopen(", "")


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modules_stay_small(path):
    """A module that passes 400 lines is split by meaning."""
    assert len(path.read_text().splitlines()) <= 400


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_names_say_something(path):
    """No module or folder has a name that could hold anything."""
    assert not set(dotted(path).split(".")) & VAGUE


@pytest.mark.parametrize("path", MODULES, ids=dotted)
def test_modules_say_what_lives_in_them(path):
    """Each module opens with what lives there."""
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_only_the_command_line_prints():
    """Printing elsewhere would mix with results on standard output."""
    for path in MODULES:
        if stage_of(dotted(path)) == "cli":
            continue
        calls = [n for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Call)]
        assert not [n for n in calls if isinstance(n.func, ast.Name) and n.func.id == "print"], dotted(path)


def test_sql_stands_in_no_format_string_with_values():
    """Values reach SQL as parameters; `SELECT *` never decides a schema."""
    for path in (PACKAGE / "warehouse").rglob("*"):
        if path.suffix in (".py", ".sql"):
            assert "SELECT *" not in path.read_text().upper().replace("COUNT(*)", ""), path.name


def test_the_token_is_revealed_in_one_expression():
    """Into one header of one request; beside it only its own module compares it and reads its dates."""
    found = {
        dotted(path): len(re.findall(r"\.reveal\(\)", path.read_text()))
        for path in MODULES
        if re.search(r"\.reveal\(\)", path.read_text())
    }
    assert found == {"auth.secret": 1, "auth.passport": 1, "session.sending": 1}


def test_the_session_can_only_get():
    """No other method of HTTP is called, and no redirect, cookie or environment is switched on."""
    text = "".join(path.read_text() for path in (PACKAGE / "session").glob("*.py"))
    assert not re.search(r"http\.(?:post|put|patch|delete|head|options|request|ws_connect|_request)\b", text)
    assert text.count("self.http.get(") == 1
    assert text.count("allow_redirects=False") == 1
    assert "allow_redirects=True" not in text
    assert "trust_env=True" not in text
    assert text.count("DummyCookieJar()") == 1
    assert not re.search(r"CERT_NONE|check_hostname|ssl=False|verify_ssl|create_default_context\(", text)
