"""What cron and systemd are told of the nightly run."""

import shlex
from dataclasses import replace
from pathlib import Path

from pipeline.ops.timetable import Nightly, cron_block, is_scheduled, service_unit, timer_unit, unit_name, with_block

NIGHTLY = Nightly(
    program=Path("/opt/prospend/bin/prospend"),
    config=Path("/srv/acme/configs/site.toml"),
    site="Acme AU",
    data_dir=Path("/srv/acme/data"),
    at=(3, 30),
    timezone="Australia/Sydney",
    deadline_s=21_600.0,
    user="finance",
)


def test_a_crontab_entry_depends_on_nothing_of_its_surroundings():
    """Absolute paths, and no character that cron or its shell would read otherwise."""
    nightly = replace(NIGHTLY, config=Path("/srv/100% ours/it's.toml"))
    mark, entry = cron_block(nightly).splitlines()
    assert mark.startswith("# ")
    fields, command = entry.split("  ", 1)
    assert fields == "30 3 * * *"
    assert shlex.split(command.replace(r"\%", "%")) == list(nightly.command)
    assert "%" not in command.replace(r"\%", "")


def test_installing_again_replaces_and_leaves_what_others_wrote():
    """A crontab has one block a settings file, whatever else stands in it."""
    theirs = "MAILTO=finance\n5 4 * * *  /usr/bin/backup\n"
    once = with_block(theirs, NIGHTLY)
    assert once == theirs + cron_block(NIGHTLY)
    later = replace(NIGHTLY, at=(4, 15))
    assert with_block(once, later) == theirs + cron_block(later)
    other = replace(NIGHTLY, config=Path("/srv/other/site.toml"))
    both = with_block(once, other)
    assert both.count("prospend run") == 2
    assert with_block("", NIGHTLY) == cron_block(NIGHTLY)


def test_what_others_wrote_into_the_block_stays():
    """A variable above the entry is not ours, nor is an entry that somebody has commented out; nothing runs twice."""
    mark, entry = cron_block(NIGHTLY).splitlines()
    edited = f"{mark}\nHOOK=https://example.com\n{entry}\n# {entry}\n"
    later = with_block(edited, replace(NIGHTLY, at=(4, 15)))
    assert later == f"HOOK=https://example.com\n# {entry}\n" + cron_block(replace(NIGHTLY, at=(4, 15)))
    assert is_scheduled(later, NIGHTLY)
    assert not is_scheduled(f"{mark}\n# {entry}\n", NIGHTLY)
    assert not is_scheduled(later, replace(NIGHTLY, config=Path("/srv/acme/configs/site.toml.old")))


def test_a_users_own_systemd_is_asked_for_nothing_it_may_not_do():
    """It has no capabilities to drop and cannot give namespaces."""
    text = service_unit(replace(NIGHTLY, user=None))
    for word in ("CapabilityBoundingSet", "Protect", "Private", "ReadWritePaths", "RestrictNamespaces"):
        assert word not in text
    assert is_scheduled(service_unit(NIGHTLY), NIGHTLY)


def test_secrets_come_from_a_file_beside_the_settings():
    """Cron and systemd begin with an environment of their own."""
    text = service_unit(replace(NIGHTLY, variables=("HOOK",)))
    assert "EnvironmentFile=/srv/acme/configs/site.env\n" in text
    assert "HOOK" in text
    assert "EnvironmentFile" not in service_unit(NIGHTLY)


def test_units_may_write_the_data_folder_and_what_the_settings_name_alone():
    """The service is closed down; the token comes as a credential where the settings say so."""
    text = service_unit(NIGHTLY)
    assert "ReadWritePaths=/srv/acme/data\n" in text
    metrics = replace(NIGHTLY, also_writes=(Path("/var/lib/node exporter"),))
    assert 'ReadWritePaths=/srv/acme/data "-/var/lib/node exporter"\n' in service_unit(metrics)
    for line in ("ProtectSystem=strict", "NoNewPrivileges=yes", "CapabilityBoundingSet=", "User=finance"):
        assert f"{line}\n" in text
    assert "LoadCredential=prospend-token\n" in service_unit(replace(NIGHTLY, credential="prospend-token"))
    assert "User=" not in service_unit(replace(NIGHTLY, user=None))


def test_the_timer_goes_by_the_zone_of_the_site_and_makes_up_for_missed_nights():
    """Persistent, with a random delay."""
    text = timer_unit(NIGHTLY)
    assert "OnCalendar=*-*-* 03:30:00 Australia/Sydney\n" in text
    assert "Persistent=true\n" in text
    assert "RandomizedDelaySec=" in text


def test_names_and_words_of_units_hold_whatever_a_site_is_called():
    """No specifier, no variable, no second word."""
    odd = replace(NIGHTLY, site="A & B 50%", config=Path("/srv/a b/$x/50%.toml"))
    assert unit_name(odd) == "prospend-a---b-50"
    line = next(line for line in service_unit(odd).splitlines() if line.startswith("ExecStart="))
    assert line.endswith('--config "/srv/a b/$$x/50%%.toml" --quiet')
    assert "50%%" in service_unit(odd).splitlines()[1]
