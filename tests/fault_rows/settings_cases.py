"""Faults of settings: the file, its keys and values, folders, the base URL, and what stands around the command."""

from __future__ import annotations

from fault_rows.case import UNTOUCHED, Case, Scene, set_to, told_in_environment, written
from pipeline.resources import default_path


def no_settings_anywhere(scene: Scene) -> None:
    scene.arguments[:] = ["run"]


def missing_file(scene: Scene) -> None:
    scene.site_file.rename(scene.folder / "elsewhere.toml")


def folder_for_a_file(scene: Scene) -> None:
    scene.site_file.unlink()
    scene.site_file.mkdir()


def unreadable_file(scene: Scene) -> None:
    scene.site_file.unlink()
    scene.site_file.symlink_to("/proc/self/mem")  # exists, and every read of its beginning fails, for root too


def token_in(section: str, key: str, form: str = '"{}"'):
    def spoil(scene: Scene) -> None:
        text = scene.site_file.read_text()
        scene.site_file.write_text("".join(line for line in text.splitlines(True) if not line.startswith("file = ")))
        scene.set(section, **{key: form.format(scene.sandbox.token)})

    return spoil


def eight_wrong_values(scene: Scene) -> None:
    scene.set("site", name='""', version="7", companies="[]", timezone='"Mars/Olympus"')
    scene.set("checks", max_quarantined_percent="nan")
    scene.set("budget", hourly="0", monthly="-1", reserve_percent="1e9")


EIGHT = ("site.name", "site.version", "site.companies", "site.timezone", "checks.max_quarantined_percent",
         "budget.hourly", "budget.monthly", "budget.reserve_percent")  # fmt: skip


def own_catalogue(old: str, new: str):
    def spoil(scene: Scene) -> None:
        text = default_path().read_text()
        assert old in text
        (scene.folder / "own.toml").write_text(text.replace(old, new, 1))
        scene.set("api", resources='"own.toml"')

    return spoil


def link_to_elsewhere(name: str):
    def spoil(scene: Scene) -> None:
        elsewhere = scene.folder / "someone-else"
        (elsewhere / "20200101T000000Z").mkdir(parents=True)
        (elsewhere / "20200101T000000Z" / "precious").write_text("not ours")
        folder = scene.data / name
        if folder.exists():
            folder.rename(scene.data / f"{name}-before")
            scene.kept.append((scene.data / f"{name}-before", folder))
        folder.symlink_to(elsewhere)

    return spoil


def token_within(name: str):
    def spoil(scene: Scene) -> None:
        (scene.data / name).mkdir(exist_ok=True)
        scene.token_places.append(scene.token_file.rename(scene.data / name / "token"))
        scene.set("token", file=f'"data/{name}/token"')

    return spoil


def with_url(change):
    def spoil(scene: Scene) -> None:
        scene.set("site", base_url=f'"{change(scene)}"')

    return spoil


def origin(scene: Scene) -> str:
    return scene.sandbox.base_url.removeprefix("https://")


def spoken(*extra: str):
    """More on the command line, `{}` for the token."""

    def spoil(scene: Scene) -> None:
        scene.arguments += [text.format(scene.sandbox.token) for text in extra]

    return spoil


def first_spoken(scene: Scene) -> None:
    scene.arguments[:] = [scene.sandbox.token]


def before(text: bytes):
    return written(lambda old: text + old.encode())


BAD_FILE = {"code": 10, "where": "site.toml", "state": UNTOUCHED}

CASES = (
    # ---- 1: the settings file is missing or cannot be read
    Case(1, "no settings anywhere", no_settings_anywhere, 10, "no settings file",
         ("configs/site.toml", "prospend/site.toml"), ("copy configs/site.example.toml", "prospend demo"), UNTOUCHED),
    Case(1, "the named file is missing", missing_file, **BAD_FILE, what="does not exist", do="--config"),
    Case(1, "the named file is a folder", folder_for_a_file, **BAD_FILE, what="is a folder", do="--config"),
    Case(1, "the file cannot be read", unreadable_file, **BAD_FILE, what="cannot be read"),
    # ---- 2: the file is not TOML
    Case(2, "a bracket is missing", written(lambda old: old.replace("[site]", "[site")), **BAD_FILE,
         what=("not valid TOML", "line 1, column 6")),
    Case(2, "a quote is missing", written(lambda old: old.replace('"test"', '"test')), **BAD_FILE,
         what=("not valid TOML", "line 2, column 13")),
    Case(2, "byte order mark", before(b"\xef\xbb\xbf"), **BAD_FILE, what=("byte order mark", "line 1, column 1")),
    Case(2, "NUL", written(lambda old: old.replace("test", "te\0st")), **BAD_FILE, what="line 2, column 11"),
    Case(2, "carriage returns alone", written(lambda old: old.replace("\n", "\r")), **BAD_FILE, what="line 1"),
    Case(2, "Latin-1", written(lambda old: old.replace("test", "tést").encode("latin-1")), **BAD_FILE,
         what=("not UTF-8", "line 2, column 10")),
    Case(2, "UTF-16", written(lambda old: old.encode("utf-16")), **BAD_FILE, what=("not UTF-8", "line 1, column 1")),
    Case(2, "one key twice", written(lambda old: old.replace("[api]", '[api]\nca_file = "x"')), **BAD_FILE,
         what=("not valid TOML", "line 6")),
    Case(2, "200,000 brackets", written(lambda old: f"x = {'[' * 200_000}\n{old}"), **BAD_FILE, what="nested too deeply"),
    Case(2, "a number of 5,000 digits", written(lambda old: f"x = {'9' * 5_000}\n{old}"), **BAD_FILE,
         what="not valid TOML", unsaid=("9999",)),
    Case(2, "an empty file", written(lambda _: ""), **BAD_FILE, what=("site.name is missing", "exactly one of token.env")),
    # ---- 3: a key that does not exist
    Case(3, "a letter is missing", written(lambda old: old.replace("ca_file", "ca_fle")), **BAD_FILE,
         what=("unknown setting api.ca_fle", "did you mean 'ca_file'?", "line 5")),
    Case(3, "a section that does not exist", written(lambda old: old.replace("[storage]", "[storages]")), **BAD_FILE,
         what=("unknown section [storages]", "did you mean 'storage'?")),
    Case(3, "in the environment", told_in_environment(PROSPEND__API__ATEMPTS="3"), **BAD_FILE,
         what=("environment: unknown setting api.atempts", "did you mean 'attempts'?")),
    Case(3, "an underscore is missing in the environment", told_in_environment(PROSPEND__API_ATTEMPTS="3"), **BAD_FILE,
         what=("PROSPEND__API_ATTEMPTS", "PROSPEND__SECTION__KEY")),
    # ---- 4: a value of the wrong type or range
    Case(4, "zero", set_to("api", concurrency="0"), **BAD_FILE, what="api.concurrency: expected `int` >= 1"),
    Case(4, "negative", set_to("budget", monthly="-1"), **BAD_FILE, what="budget.monthly: expected `int` >= 1"),
    Case(4, "no number", set_to("api", read_timeout_s="nan"), **BAD_FILE, what="api.read_timeout_s"),
    Case(4, "a billion", set_to("api", max_body_mb="1000000000"), **BAD_FILE, what="api.max_body_mb: expected `int` <= "),
    Case(4, "empty", set_to("storage", data_dir='""'), **BAD_FILE, what="storage.data_dir: expected a path"),
    Case(4, "a list", set_to("site", name='["a"]'), **BAD_FILE, what="site.name: expected `str`, got `array`"),
    Case(4, "eight at once", eight_wrong_values, **BAD_FILE, what="8 problems"),
    Case(4, "no company wanted", set_to("site", companies="[]"), **BAD_FILE, what="site.companies"),
    Case(4, "a company that the token does not see", set_to("site", companies='["999"]'), 10,
         "no company 999; it sees 1, 2", "site.companies"),
    # ---- 5: a folder that is used for something else
    *(Case(5, f"{name} is a link to elsewhere", link_to_elsewhere(name), 10, ("symbolic link", "storage.data_dir"), name)
      for name in ("staging", "state", "reports")),
    *(Case(5, f"the token lies in {name}", token_within(name), 10, ("token.file", "storage.data_dir"), "token.file")
      for name in ("staging", "runs")),
    Case(5, "the data folder lies in another's", set_to("storage", data_dir='"data/warehouse/inner"'), 10,
         ("storage.data_dir", "another data folder"), "data/warehouse/inner", state="no earlier warehouse"),
    # ---- 6: the base URL
    Case(6, "plain HTTP", with_url(lambda s: f"http://{origin(s)}"), **BAD_FILE, what="must begin with https://, found http"),
    Case(6, "no scheme", with_url(origin), **BAD_FILE, what="must begin with https://"),
    Case(6, "user and password", with_url(lambda s: f"https://me:hunter2@{origin(s)}"), **BAD_FILE,
         what="must not hold a user name or password", unsaid=("hunter2",)),
    Case(6, "a query", with_url(lambda s: f"https://{origin(s)}?a=hunter2"), **BAD_FILE, what="query or fragment",
         unsaid=("hunter2",)),
    Case(6, "an empty query", with_url(lambda s: f"https://{origin(s)}?"), **BAD_FILE, what="query or fragment"),
    Case(6, "a fragment", with_url(lambda s: f"https://{origin(s)}#a"), **BAD_FILE, what="query or fragment"),
    Case(6, "a path", with_url(lambda s: f"https://{origin(s)}/beta"), **BAD_FILE, what="site.version"),
    Case(6, "two hosts", with_url(lambda s: f"https://{origin(s)}\\\\@{s.foreign}"), **BAD_FILE, what="no sound host"),
    Case(6, "another host", with_url(lambda s: f"https://localhost.localdomain.invalid:{origin(s).split(':')[1]}"), 20,
         "cannot be resolved", "company · page 1"),
    # ---- 12: the token on the command line
    Case(12, "as an option", spoken("--token", "{}"), 10, "--token", "command line", "token.file", UNTOUCHED),
    Case(12, "as an option's value", spoken("--token={}"), 10, "--token", "command line", "token.file", UNTOUCHED),
    Case(12, "as an argument", spoken("{}"), 10, "argument", "command line", "token.file", UNTOUCHED),
    Case(12, "as an unknown option", spoken("--{}"), 10, "option", "command line", "token.file", UNTOUCHED),
    Case(12, "as a command", first_spoken, 10, "command", "command line", "token.file", UNTOUCHED),
    *(Case(12, f"as {section}.{key}", token_in(section, key, form), **BAD_FILE, what=(f"{section}.{key}", "looks like a token"))
      for section, key, form in (("token", "file", '"{}"'), ("token", "credential", '"{}"'), ("token", "env", '"{}"'),
                                 ("token", "command", '["{}"]'), ("token", "keyring", '"prospend/{}"'),
                                 ("site", "companies", '["{}"]'), ("site", "base_url", '"https://{}"'))),
    Case(12, "as an unknown setting", token_in("token", "value"), **BAD_FILE, what="unknown setting token.value"),
    # ---- 13: names that are one name in the warehouse
    Case(13, "columns that differ in case", own_catalogue("[resource.entity.column]\n", '[resource.entity.column]\n'
         'ID = { type = "text", evidence = "inferred", about = "x" }\n'), 10, ("'id'", "'ID'", "one name in the warehouse"), "own.toml"),
    Case(13, "columns that differ in style", own_catalogue("[resource.claim.column]\n", '[resource.claim.column]\n'
         'claimant_id = { type = "text", evidence = "inferred", about = "x" }\n'), 10,
         ("'claimant_id'", "'claimantId'"), "own.toml"),
    Case(13, "a column and a member of an object", own_catalogue("[resource.invoice.column]\n", '[resource.invoice.column]\n'
         'supplierId = { type = "text", evidence = "inferred", about = "x" }\n'), 10,
         ("'supplierId'", "'supplier.id'", "supplier_id"), "own.toml"),
    Case(13, "a resource with capitals", own_catalogue("[resource.entity", "[resource.Entity"), 10,
         "lower-case", "own.toml"),
    Case(13, "two tables of one name", own_catalogue('table = "claim_approver"', 'table = "claim"'), 10,
         "table 'claim' is taken by claim", "own.toml"),
)  # fmt: skip
