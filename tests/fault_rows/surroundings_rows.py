"""Rows of what surrounds a run: clock and time zone, the scheduler's environment, other versions."""

from __future__ import annotations

from fault_rows.boundary_rows import QUARANTINE
from fault_rows.row import Row

SECTIONS = {"2.11 clock and time zone": range(128, 133), "2.12 environment, upgrade": range(133, 143)}

CLOCKS, IDS, SCENES = "whole/test_clocks.py::", "stage/test_run_ids.py::", "whole/test_fault_scenes.py::"
BOUNDARY, DEADLINES = "stage/test_session_boundary.py::", "stage/test_session_deadlines.py::"
FOLD, READ, SNAPSHOT = "stage/test_warehouse_fold.py::", "stage/test_warehouse_read.py::", "stage/test_snapshot.py::"
COMMANDS, PUBLICATION = "whole/test_commands.py::", "whole/test_publication.py::"
UNATTENDED, CHANGES = "whole/test_unattended.py::", "whole/test_clock_changes.py::"
SEALED = PUBLICATION + "test_files_are_sealed_and_chained"

ROWS: dict[int, Row] = {
    128: Row("the clock jumps during a run", (0,), "L", {CLOCKS + "test_a_clock_that_is_set_to_and_fro_changes_nothing": 0,
             FOLD + "test_a_clock_that_went_back_keeps_the_order_of_runs": 0,
             IDS + "test_a_clock_that_was_set_back_does_not_reorder_sealed_runs": 0,
             "pure/test_readings.py::test_a_watermark_moves_only_over_what_was_read": 0}),
    129: Row("the clock is wrong by days", (0, 10), "L", {BOUNDARY + "test_a_skewed_clock_is_told": 0,
             BOUNDARY + "test_a_clock_wrong_by_days_stops_the_run": 10,
             CLOCKS + "test_a_clock_that_was_wrong_for_a_night_is_not_believed_afterwards": 10,
             IDS + "test_a_run_that_sealed_nothing_binds_nobody": 0}),
    130: Row("an hour comes twice or never", (0,), "D", {
             IDS + "test_an_hour_that_comes_twice_or_never_is_an_hour_like_any_other": 0,
             "whole/test_incremental.py::test_a_night_without_changes_asks_each_list_once": 0,
             CHANGES + "test_the_scheduled_runs_of_those_nights_publish": 0,
             CHANGES + "test_two_runs_in_the_hour_that_comes_twice_do_no_harm": 0},
             but="when a night begins is the scheduler's business; a second one the same night is harmless"),
    131: Row("a name from the local date", (0,), "G", {IDS + "test_a_run_is_named_by_utc_in_every_zone": 0,
             IDS + "test_runs_of_one_second_are_numbered": 0}),
    132: Row("times without an offset", (0, 41), "L", {
             "pure/test_decode_values.py::test_a_value_that_does_not_fit_sets_its_record_aside": 0,
             "whole/test_completeness.py::test_too_many_misfits_refuse_the_night": 41}, but=QUARANTINE),
    133: Row("an environment without anything", (0,), "Z", {SCENES + "test_an_environment_without_anything": 0,
             UNATTENDED + "test_a_night_is_the_same_in_any_surroundings": 0}),
    134: Row("a locale without UTF-8", (0,), "I", {SCENES + "test_what_is_printed_is_utf_8_in_any_locale": 0}),
    135: Row("nobody listens to what is printed", (0,), "ZH", {
             COMMANDS + "test_a_full_or_closed_standard_output_does_not_change_the_result": 0,
             COMMANDS + "test_a_reader_that_leaves_early_is_no_failure": 0},
             but="the record in runs/<run_id>/report.json is the log"),
    136: Row("any umask", (0,), "P", {SCENES + "test_files_have_our_own_modes_whatever_the_umask": 0, SEALED: 0,
             "whole/test_going_on.py::test_kept_pages_are_private": 0}),
    137: Row("a night never begins", (0,), "Z", {CLOCKS + "test_status_tells_how_old_the_data_is": 0,
             IDS + "test_readers_are_told_the_age_of_what_they_have": 0},
             but="the age stands in status, in every error and in meta.snapshot_info; nobody is told unasked yet: this program "
             "sends no notifications, and a dead man's switch stands outside the host"),
    138: Row("the run hangs", (20, 30), "U", {DEADLINES + "test_a_name_server_that_says_nothing_is_bounded": 20},
             but="api.run_deadline_s bounds all that waits for the source; what comes after works on what is there, and has no "
             "watchdog but the scheduler's own"),
    139: Row("older state", (0, 60), "G", {SNAPSHOT + "test_an_older_manifest_is_read_and_not_built_upon": 0,
             READ + "test_a_file_of_version_0_1_0_is_counted": 0, FOLD + "test_a_file_of_another_layout_is_no_base": 60},
             but="what 0.1.0 left stays readable as it is, and the next run begins a chain of its own by reading everything: "
             "there is nothing to migrate by hand"),
    140: Row("newer state", (60,), "G", {SNAPSHOT + "test_a_newer_manifest_is_refused_untouched": 60},
             but="what may be lost at any time (kept pages, data/state/pace) is not believed instead, and made anew"),
    141: Row("another version of a dependency", (0,), "W", {SEALED: 0,
             "rules/test_project.py::test_everything_locked_has_a_hash_and_no_address": 0,
             "rules/test_project.py::test_nothing_is_installed_without_its_hash": 0},
             but="the installer refuses what is not locked; a run records its versions and does not judge them"),
    142: Row("another DuckDB", (0, 40), "W", {PUBLICATION + "test_the_published_file_opens_in_old_and_new_duckdb": 0,
             "stage/test_warehouse_meta.py::test_duckdb_1_4_opens_what_is_published": 0,
             "stage/test_warehouse_asking.py::test_history_is_readable_by_duckdb_1_4": 0,
             "stage/test_publish.py::test_a_log_beside_any_of_the_files_stops_the_publish": 40},
             but="what is built upon is tested with the locked version, what readers need with 1.4 as well"),
}  # fmt: skip
