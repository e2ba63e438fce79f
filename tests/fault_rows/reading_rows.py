"""Rows of reading: pagination, and drift of schema and types."""

from __future__ import annotations

from fault_rows.boundary_rows import QUARANTINE
from fault_rows.row import Row

SECTIONS = {"2.5 pagination": range(56, 76), "2.6 schema and type drift": range(76, 86)}

PAGING, PASSES, READINGS = "pure/test_paginate.py::", "pure/test_extract_passes.py::", "pure/test_readings.py::"
STAMPS, CHECKS, MOVEMENT = "pure/test_stamps.py::", "pure/test_checks.py::", "pure/test_checks_movement.py::"
ENVELOPE, VALUES, RECORDS = (
    "pure/test_decode_envelope.py::",
    "pure/test_decode_values.py::",
    "pure/test_decode_records.py::",
)
UNKNOWN, DRIFT, ORIGIN = (
    "pure/test_decode_unknown.py::",
    "pure/test_checks_drift.py::",
    "stage/test_session_origin.py::",
)
FOLD, LOAD, CHANGED = (
    "stage/test_warehouse_fold.py::",
    "stage/test_warehouse_load.py::",
    "stage/test_warehouse_drift.py::",
)
COMPLETE, NIGHTS, REFUSED = (
    "whole/test_completeness.py::",
    "whole/test_incremental.py::",
    "whole/test_refused_nights.py::",
)
HISTORIES = "whole/test_histories.py::test_every_night_is_what_the_books_hold"
MOVING = NIGHTS + "test_books_that_move_while_they_are_read"
AT_ONCE = NIGHTS + "test_an_import_at_one_instant_and_a_late_commit_are_read"
FITS, FITS_NOT = (
    VALUES + "test_a_value_that_fits_is_stored_as_sent",
    VALUES + "test_a_value_that_does_not_fit_sets_its_record_aside",
)
TWICE = COMPLETE + "test_a_record_served_twice_is_one_row"
IN_ORDER = CHECKS + "test_what_reading_showed_is_told_and_refuses_nothing"
IS_DUE = READINGS + "test_a_list_is_read_in_full_when_it_is_due"

ROWS: dict[int, Row] = {
    56: Row("the cursor just used", (21,), "LU"),
    57: Row("cursors in a circle", (21,), "U", {PAGING + "test_a_cycle_of_any_length_is_found": 21}),
    58: Row("new cursors, the same rows", (21,), "U", {PAGING + "test_new_cursors_with_the_same_rows_are_found": 21}),
    59: Row("new pages without end", (21, 30, 42), "U", {PAGING + "test_no_walk_goes_on_for_ever": 21},
            but="the source tells no total, so no cap follows from it: the run's deadline and the call budget come first"),
    60: Row("empty pages", (21,), "LU", {PAGING + "test_some_empty_pages_are_allowed_but_not_many": 21}),
    61: Row("the envelope contradicts its cursor", (21,), "LZ", {ENVELOPE + "test_a_body_that_breaks_the_envelope_is_refused": 21},
            but="hasMore and the like are not documented; believed only where they deny what nextCursor says"),
    62: Row("the cursor expires", (0, 21), "L", {"whole/test_going_on.py::test_a_lost_cursor_begins_the_walk_anew": 0},
            but="the pages read are told, not the cursor's age: kept pages of an earlier run could be hours old"),
    63: Row("a cursor of any kind", (21, 22), "F", {ORIGIN + "test_no_cursor_leads_the_token_away": 22,
            PAGING + "test_a_cursor_that_cannot_be_one_is_refused": 22},
            but="what looks like a path is a text as good as any: it is sent encoded, as a value"),
    64: Row("the next page is an address", (22,), "FT", {ORIGIN + "test_no_cursor_leads_the_token_away": 22},
            but="an address of our own origin is refused as well: cursors are documented as opaque texts"),
    65: Row("a row is updated during the walk", (0,), "DW", {MOVING: 0, TWICE: 0, HISTORIES: 0,
            PASSES + "test_a_catch_up_reads_what_changed_meanwhile_with_its_children": 0}),
    66: Row("a row is deleted during the walk", (0, 21), "W", {MOVING: 0,
            FOLD + "test_a_row_read_and_then_proved_gone_is_deleted": 0,
            PASSES + "test_a_parent_that_ends_while_it_is_read_is_noted": 0,
            PASSES + "test_many_parents_that_end_at_once_stop_the_night": 21}),
    67: Row("a row is added during the walk", (0,), "L", {MOVING: 0,
            PASSES + "test_a_catch_up_reads_what_changed_meanwhile_with_its_children": 0}),
    68: Row("many changes at one instant", (0,), "L", {AT_ONCE: 0, HISTORIES: 0},
            but="one cursor leads through all of them; how the source breaks ties is its own business"),
    69: Row("a late commit", (0,), "L", {AT_ONCE: 0, HISTORIES: 0,
            READINGS + "test_later_nights_read_what_changed_where_the_list_can_be_asked": 0},
            but="everything is read each extract.full_every (seven days), not each night: the overlap covers usual delays"),
    70: Row("order, limit or filter are ignored", (0, 22), "LW", {TWICE: 0, IN_ORDER: 0,
            "whole/test_shared_nights.py::test_what_bounds_may_have_hidden_is_not_taken_for_deleted": 0,
            STAMPS + "test_a_list_is_in_order_when_it_never_goes_back": 0},
            but="the order is documented for no list: another one is told, and the list read in full until it is in order"),
    71: Row("a replica that lags", (0,), "LW", {IN_ORDER: 0, IS_DUE: 0, MOVING: 0,
            READINGS + "test_a_watermark_moves_only_over_what_was_read": 0},
            but="change times that go back are told and the next night reads in full: a second walk could lag as well"),
    72: Row("what was read is not what is there", (0, 41), "LZ", {COMPLETE + "test_every_record_served_is_one_row": 0,
            REFUSED + "test_a_list_that_shows_much_less_refuses_the_night": 41},
            but="the source tells no totals: what was served, stored and loaded is compared, and each night with the last"),
    73: Row("a change time that is none", (0, 41), "L", {FITS_NOT: 0,
            MOVEMENT + "test_update_times_that_cannot_be_are_told": 0,
            READINGS + "test_a_watermark_moves_only_over_what_was_read": 0},
            but="null and future ones are told and carry no watermark; " + QUARANTINE),
    74: Row("a row comes back with an old change time", (0,), "L", {HISTORIES: 0, IS_DUE: 0},
            but="only a full night sees it: one each extract.full_every, and whenever `run --full` asks for it"),
    75: Row("a permission hides rows", (41,), "GW", {REFUSED + "test_a_list_that_shows_much_less_refuses_the_night": 41,
            NIGHTS + "test_lists_that_shrink_beyond_the_limit_hold_the_night": 41}),
    76: Row("a new field", (0,), "W", {COMPLETE + "test_an_unknown_field_is_found_again": 0,
            CHANGED + "test_a_new_field_has_its_first_night_share_type_and_column": 0,
            NIGHTS + "test_a_catalogue_with_one_more_column_fills_it_for_all_nights": 0}),
    77: Row("a field disappears", (0, 41), "WL", {REFUSED + "test_a_field_that_vanished_refuses_the_night": 41,
            DRIFT + "test_a_field_missing_in_all_changes_is_told": 0},
            but="judged by the night: one record without a field is usual; keys are another matter (row 55)"),
    78: Row("another type", (0, 41), "W", {FITS: 0, FITS_NOT: 0,
            COMPLETE + "test_a_record_that_does_not_fit_is_quarantined_and_the_others_load": 0},
            but="a number or boolean where text is expected is kept as it was written; " + QUARANTINE),
    79: Row("money that was a binary float", (0, 41), "W", {FITS: 0, FITS_NOT: 0,
            COMPLETE + "test_amounts_arrive_as_they_were_sent": 0}, but=QUARANTINE),
    80: Row("digits that are text", (0,), "W", {FITS: 0}),
    81: Row("parts of different schemas", (40,), "W", {LOAD + "test_a_part_of_other_types_is_refused": 40,
            LOAD + "test_a_second_part_is_held_to_the_same_types": 40}),
    82: Row("days and times that there are not", (0, 41), "W", {FITS: 0, FITS_NOT: 0,
            COMPLETE + "test_too_many_misfits_refuse_the_night": 41},
            but="the year 2500 is a year; as a time of change it is told; " + QUARANTINE),
    83: Row("hostile names", (0,), "W", {COMPLETE + "test_names_of_any_kind_are_data": 0,
            RECORDS + "test_unknown_fields_keep_their_order_and_strange_names": 0,
            UNKNOWN + "test_whatever_is_sent_the_catalogue_stays_sound": 0},
            but="no name of the payload becomes a column or a statement: it is kept as JSON, whatever it is"),
    84: Row("keys mean something else", (41,), "GW"),
    85: Row("an unknown value of a list", (0,), "W", {RECORDS + "test_values_outside_the_list_are_stored_and_counted": 0}),
}  # fmt: skip
