"""Settings: one reference, every problem at once, nothing guessed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ConfigError
from pipeline.settings import find_config, load_settings

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
