"""A settings file for a new site is the commented reference with the answers filled in, and nothing else of it changed."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import load_settings
from pipeline.settings.writing import example_path, filled_in, toml_value

EXAMPLE = example_path().read_text("utf-8")


def test_answers_take_the_place_of_their_lines_and_every_other_line_stays():
    """A commented setting is filled in where it stands, under its explanation."""
    text = filled_in(EXAMPLE, {("site", "name"): "acme", ("site", "timezone"): "Pacific/Auckland"})
    before, after = EXAMPLE.splitlines(), text.splitlines()
    assert len(before) == len(after)
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert changed == [
        ('name = "my-company"', 'name = "acme"'),
        ('# timezone = "Australia/Sydney"', 'timezone = "Pacific/Auckland"'),
    ]


def test_a_setting_without_an_answer_is_commented_out():
    """The token is in one place: the default one makes way."""
    text = filled_in(EXAMPLE, {("token", "file"): None, ("token", "env"): "TOKEN"})
    assert tomllib.loads(text)["token"] == {"env": "TOKEN"}
    assert '# file = "~/.prospend-token"' in text


def test_a_key_of_one_section_is_not_that_of_another():
    """`[token] file` is not `[api] file`: sections are told apart."""
    with pytest.raises(ValueError, match=r"api\.file"):
        filled_in(EXAMPLE, {("api", "file"): "x"})


@given(st.text(st.characters(codec="utf-8")))
def test_any_text_comes_out_as_it_went_in(value):
    """Quotes, backslashes and line ends in an answer cannot break out of their line."""
    assert tomllib.loads(f"value = {toml_value(value)}") == {"value": value}
    assert "\n" not in toml_value(value)


def test_what_is_written_is_read_as_settings(tmp_path: Path):
    """Every kind of answer."""
    path = tmp_path / "site.toml"
    answers = {
        ("site", "name"): "acme",
        ("site", "fiscal_year_start"): 4,
        ("token", "file"): None,
        ("token", "command"): ("op", "read", 'op://"x"'),
        ("storage", "data_dir"): str(tmp_path / "data"),
    }
    path.write_text(filled_in(EXAMPLE, answers))
    settings = load_settings(path, environ={})
    assert settings.site.fiscal_year_start == 4
    assert settings.token.command == ("op", "read", 'op://"x"')
    assert settings.storage.data_dir == tmp_path / "data"
