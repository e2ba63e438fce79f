"""Settings: one reference, every problem at once, nothing guessed."""

from __future__ import annotations

import dataclasses
import itertools
import re
import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors import ConfigError
from pipeline.settings import SECTIONS, find_config, load_settings

GOOD = """
[site]
name = "site"
base_url = "https://api.example"
[token]
env = "T"
[storage]
data_dir = "data"
"""


def loaded(tmp_path: Path, text: str, **arguments: object):
    path = tmp_path / "site.toml"
    path.write_text(text)
    return load_settings(path, environ=arguments.pop("environ", {}), **arguments)


def problems(tmp_path: Path, text: str, **arguments: object) -> str:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, **arguments)
    assert caught.value.exit_code == 10
    return caught.value.what


def all_problems(tmp_path: Path, text: str, **arguments: object) -> str:
    """Every problem on a line of its own, however many there are."""
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text, **arguments)
    return "\n".join(getattr(caught.value, "__notes__", None) or caught.value.what.split("; "))


def test_a_small_file_is_enough(tmp_path):
    """Everything else has a default; relative paths start at the file's folder."""
    settings = loaded(tmp_path, GOOD)
    assert settings.api.concurrency == 16
    assert settings.storage.data_dir == tmp_path / "data"


def test_later_layers_win(tmp_path):
    """File, then environment, then command line."""
    environ = {"PROSPEND__API__CONCURRENCY": "8", "PROSPEND__SITE__NAME": "from-env", "OTHER": "x"}
    settings = loaded(tmp_path, GOOD, environ=environ, overrides={"site": {"name": "from-flag"}})
    assert (settings.api.concurrency, settings.site.name) == (8, "from-flag")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('base_url = "https://api.example"', 'base_urll = "https://api.example"', "line 4: unknown setting site.base_urll; did you mean 'base_url'?"),
        ("[storage]", "[storag]", "unknown section [storag]; did you mean 'storage'?"),
        ("https://api.example", "http://api.example", "must begin with https://, found http"),
        ("https://api.example", "api.example", "must begin with https://, found no scheme"),
        ("https://api.example", "https://user:pw@api.example", "must not hold a user name or password"),
        ("https://api.example", "https://api.example/?q", "must not have a query"),
        ("https://api.example", "https://api.example/beta", "site.version"),
        ("https://api.example", "https://:443", "no sound host"),
        ("https://api.example", "https://api.example:99999", "is not a URL"),
        ('env = "T"', "", "exactly one of token.env, token.file, token.command, token.keyring, token.credential; found none"),
        ('env = "T"', 'env = "T"\nfile = "t"', "found token.env and token.file"),
        ('env = "T"', "env = 3", "token.env: expected `str | null`, got `int`"),
        ('env = "T"', 'env = "T"\n[api]\nconcurrency = 0', "api.concurrency"),
        ('env = "T"', 'env = "T"\n[api]\nconcurrency = "16"', "api.concurrency"),
        ('env = "T"', 'env = "T"\n[api]\nread_timeout_s = nan', "api.read_timeout_s"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "proxy:3128"', "api.proxy must begin with http:// or https://"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "socks5://proxy:1080"', "must begin with http:// or https://, found socks5"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "http://me:hunter2@proxy:3128"', "line 8: api.proxy must not hold a user name or password"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "http://proxy:3128/x"', "scheme, host and port only"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "http://proxy:3128?x"', "must not have a query"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "http://:3128"', "no sound host"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = "http://proxy:99999"', "is not a URL"),
        ('env = "T"', 'env = "T"\n[api]\nproxy = ""', "api.proxy"),
        ('name = "site"', 'name = "site"\ntimezone = "Mars/Olympus"', "not a time zone"),
        ('data_dir = "data"', "", "storage.data_dir is missing"),
        ('data_dir = "data"', 'data_dir = ""', "storage.data_dir"),
        ("[site]", "colour = 1\n[site]", "'colour' stands outside a section"),
    ],
)  # fmt: skip
def test_each_mistake_is_named_with_its_place(tmp_path, old, new, said):
    """Setting, line and remedy stand in the message."""
    assert said in problems(tmp_path, GOOD.replace(old, new))


def test_all_mistakes_are_told_at_once(tmp_path):
    """One run of the command shows everything there is to correct."""
    text = GOOD.replace("https", "http").replace('env = "T"', "").replace("data_dir", "data_dirr")
    told = problems(tmp_path, text)
    assert told.count(";") >= 3
    assert all(word in told for word in ("base_url", "token", "data_dirr", "data_dir is missing"))


@pytest.mark.parametrize("text", [b"\xff\xfe", b"[site\n", b"a = 1\n\x00"])
def test_a_file_that_is_no_toml_is_refused(tmp_path, text):
    """Encoding and syntax errors are told with their place."""
    path = tmp_path / "site.toml"
    path.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ={})
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    "url", ["http://proxy.example:3128", "https://proxy:443/", "http://10.0.0.7:8080", "http://[::1]:1"]
)
def test_a_proxy_is_scheme_host_and_port(tmp_path, url):
    """In a private network as well."""
    assert loaded(tmp_path, GOOD + f'[api]\nproxy = "{url}"').api.proxy == url


def test_a_secret_in_the_base_url_is_not_repeated(tmp_path):
    """The URL might hold a password: it is described, never quoted."""
    assert "hunter2" not in problems(tmp_path, GOOD.replace("https://api.example", "http://me:hunter2@api.example"))
    assert "hunter2" not in problems(tmp_path, GOOD + '[api]\nproxy = "http://me:hunter2@proxy.example:1"')


def test_a_missing_file_names_every_place(tmp_path):
    """No settings: exit 10, both places named, and never sample data instead."""
    with pytest.raises(ConfigError) as caught:
        find_config(None, working_dir=tmp_path / "w", user_config_dir=tmp_path / "u")
    assert str(tmp_path / "w" / "configs" / "site.toml") in caught.value.where
    assert str(tmp_path / "u" / "site.toml") in caught.value.where
    assert "prospend demo" in caught.value.do


def test_a_folder_is_no_settings_file(tmp_path):
    """It is said to be one."""
    with pytest.raises(ConfigError, match="is a folder"):
        find_config(tmp_path, working_dir=tmp_path, user_config_dir=tmp_path)


def test_line_ends_and_tabs_are_as_good_as_any(tmp_path):
    """CRLF, tabs and comments mean what they mean in TOML."""
    written = GOOD.replace(" = ", "\t=\t").replace("[", "\t[").replace("\n", " # \u00e9\r\n")
    assert loaded(tmp_path, written) == loaded(tmp_path, GOOD)


@pytest.mark.parametrize("text", ["x = " + "[" * 200_000, "x = " + "9" * 5_000, "x = " + "{a=" * 5_000])
def test_toml_that_python_s_reader_stumbles_over_is_refused(tmp_path, text):
    """Nesting and digits beyond what it reads are no bug of ours, and are not repeated."""
    told = problems(tmp_path, text)
    assert "not valid TOML" in told
    assert len(told) < 200
    assert "9999" not in told
    assert "expected" in problems(tmp_path, GOOD, environ={"PROSPEND__API__CONCURRENCY": text.removeprefix("x = ")})


def one_letter_wrong(name: str) -> set[str]:
    """A letter left out, doubled, changed, or two of them swapped."""
    found = set()
    for n in range(len(name)):
        found |= {name[:n] + name[n + 1 :], name[:n] + name[n] + name[n:], name[:n] + "x" + name[n + 1 :]}
        found.add(name[:n] + name[n : n + 2][::-1] + name[n + 2 :])
    return {each for each in found if each and each != name and each not in SECTIONS}


@pytest.mark.parametrize("section", SECTIONS)
def test_every_name_with_one_letter_wrong_is_refused(tmp_path, section):
    """Each setting and each section: exit 10, the name as written, and the right one beside it; in the environment too."""
    keys = [spec.name for spec in dataclasses.fields(SECTIONS[section])]
    for key in keys:
        every = one_letter_wrong(key) - set(keys)
        told = all_problems(tmp_path, GOOD, overrides={section: dict.fromkeys(every, 1)})
        for wrong in every:
            (line,) = re.findall(rf"(?m)^.*: unknown setting {section}\.{wrong};.*$", told)
            assert re.search(rf"did you mean '[a-z_]+'\?|known are .*\b{key}\b", line)
        environ = {f"PROSPEND__{section.upper()}__{key.upper()}S": "1"}
        assert f"did you mean '{key}'?" in problems(tmp_path, GOOD, environ=environ)
        assert "SECTION__KEY" in problems(tmp_path, GOOD, environ={f"PROSPEND__{section.upper()}_{key.upper()}": "1"})
    every = one_letter_wrong(section)
    told = all_problems(tmp_path, GOOD, overrides={wrong: {"a": 1} for wrong in every})
    assert all(f"unknown section [{wrong}]" in told for wrong in every)


# What no setting can be: for each kind of value something of another kind, or out of every range.
WRONG = st.sampled_from([-1, -1e9, 1e300, float("nan"), float("inf"), "", {}, {"a": 1}, [[]], [""], [{}], "\0"])
NAMES = [(section, spec.name) for section, kind in SECTIONS.items() for spec in dataclasses.fields(kind)]


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), WRONG, min_size=1))
def test_every_wrong_value_is_named(tmp_path_factory, wrong):
    """However many there are: all at once, each by its name and place; nothing but a configuration error comes of it."""
    path = tmp_path_factory.getbasetemp() / "wrong.toml"
    path.write_text(GOOD)
    overrides: dict[str, dict[str, object]] = {}
    for (section, key), value in wrong.items():
        overrides.setdefault(section, {})[key] = value
    with pytest.raises(ConfigError) as caught:
        load_settings(path, environ={}, overrides=overrides)
    told = "\n".join([caught.value.what, *getattr(caught.value, "__notes__", ())])
    for section, key in wrong:
        assert f"command line: {section}.{key}" in told
    assert all(len(line) <= 400 for _, line in caught.value.lines())
    assert caught.value.exit_code == 10


def test_many_problems_are_notes_of_the_error(tmp_path):
    """WHAT stays short and counts them; each stands in a note."""
    text = GOOD + "[api]\n" + "".join(f"unknown_setting_{n} = 1\n" for n in range(40))
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, text)
    assert "40 problems" in caught.value.what
    assert len(caught.value.__notes__) == 40


ORIGINS = ("api.example", "API.example.", "10.0.0.7", "[::1]", "localhost", "xn--bcher-kva.example", "a_b.example")
NOT_ORIGINS = ("", "-a.example", "b\u00fccher.example", "a b", "a..%2e", "%61.example", "u@a.example", "u:p@a.example", "@a",
               "a.example\\\\@b", "[::1", "a.example\t", "a\u200b.example", "a,b", "*.example", "a:b:c", "[a]", "a|b", "<a>")  # fmt: skip
BEFORE = (
    "http://",
    "HTTP://",
    "ftp://",
    "file://",
    "//",
    "",
    "https:/",
    "https:",
    "javascript:",
    " https://",
    "\x01https://",
)
BEHIND = ("?", "?a=b", "#", "#a", "/beta", "/beta/", "/..", "/;a", ":0", ":99999", ":-1", ":a", "\\n", "\\\\")


def test_only_an_origin_is_a_base_url(tmp_path):
    """https, a name or an address, perhaps a port: all else is refused by its part, and never repeated."""
    for host, port, slash in itertools.product(ORIGINS, ("", ":443", ":8443"), ("", "/")):
        url = f"https://{host}{port}{slash}"
        assert loaded(tmp_path, GOOD.replace("https://api.example", url)).site.base_url == url
    wrong = [f"https://{host}" for host in NOT_ORIGINS]
    wrong += [f"{before}api.example" for before in BEFORE]
    wrong += [f"https://{host}{behind}" for host, behind in itertools.product(ORIGINS, BEHIND)]
    for url in wrong:
        overrides = {"site": {"base_url": url}}
        told = problems(tmp_path, GOOD, overrides=overrides)
        assert "site.base_url" in told, url
        assert len(url) < 12 or url not in told


@pytest.mark.parametrize(
    ("section", "key", "form"),
    [("token", "file", "{}"), ("token", "env", "{}"), ("token", "command", ["{}"]), ("site", "companies", ["{}"]),
     ("token", "credential", "x{}"), ("site", "base_url", "https://{}"), ("site", "name", "{}"), ("api", "ca_file", "{}")],
)  # fmt: skip
def test_a_token_in_settings_is_refused_and_not_repeated(tmp_path, section, key, form):
    """Wherever somebody has put it: the setting is named, the token is not."""
    token = f"eyJ{string.ascii_letters}.eyJ{string.ascii_letters}.{string.ascii_letters}"
    value = [each.format(token) for each in form] if isinstance(form, list) else form.format(token)
    told = problems(tmp_path, GOOD, overrides={section: {key: value}})
    assert f"{section}.{key} holds what looks like a token" in told
    assert string.ascii_letters not in told
    assert string.ascii_letters not in problems(tmp_path, GOOD, overrides={section: {token: 1}})
