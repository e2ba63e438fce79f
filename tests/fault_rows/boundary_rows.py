"""Rows of the boundary: configuration and token, connections, status and flow control, body."""

from __future__ import annotations

from fault_rows.row import Row

SECTIONS = {
    "2.1 configuration and token": range(1, 16),
    "2.2 names, connections, TLS": range(16, 26),
    "2.3 status and flow control": range(26, 41),
    "2.4 body": range(41, 56),
}

SETTINGS, CATALOGUE, PASSES = "pure/test_settings.py::", "pure/test_resources.py::", "pure/test_extract_passes.py::"
BOUNDARY, PACE, HOSTILE = (
    "stage/test_session_boundary.py::",
    "stage/test_session_pace.py::",
    "stage/test_session_hostile.py::",
)
ORIGIN, SURVIVAL, CUTS = (
    "stage/test_session_origin.py::",
    "stage/test_session_survival.py::",
    "stage/test_session_cuts.py::",
)
SCENES, ALL = "whole/test_fault_scenes.py::", "stage/test_session_faults.py::"

QUARANTINE = (
    "a record that does not fit is set aside with its reason, and the night refused (41) when a resource has more than "
    "checks.max_quarantined_percent of them: one bad record must not stop every night"
)

ROWS: dict[int, Row] = {
    1: Row("settings missing or unreadable", (10,), "Z", {SCENES + "test_settings_that_this_user_may_not_read": 10}),
    2: Row("settings that are no TOML", (0, 10), "TZ", {SETTINGS + "test_line_ends_and_tabs_are_as_good_as_any": 0},
           but="CRLF and tabs are TOML"),
    3: Row("an unknown key", (10,), "Z", {SETTINGS + "test_every_name_with_one_letter_wrong_is_refused": 10}),
    4: Row("a value of the wrong type or range", (10,), "U", {SETTINGS + "test_every_wrong_value_is_named": 10}),
    5: Row("a folder that is used for something else", (10,), "G",
           but="other data folders, the sandbox's and the demo's, may lie beside the program's own folders in one that "
           "holds all; what lies inside the program's own is refused"),
    6: Row("a base URL that is none", (10, 20), "FT", {SETTINGS + "test_only_an_origin_is_a_base_url": 10},
           but="an address instead of a name is the user's choice; a wrong host shows when it is asked"),
    7: Row("the token is nowhere", (11,), "T"),
    8: Row("the token has no token's form", (11,), "T"),
    9: Row("the token expires", (0, 11), "Z", but="days are told before, from token.warn_days on; the last hour is refused"),
    10: Row("the token says nothing readable", (11,), "TU", but="the source decides: an unreadable expiry stops nothing"),
    11: Row("the token file is readable by others", (11,), "T"),
    12: Row("the token on the command line or in settings", (10,), "T"),
    13: Row("names that are one name in the warehouse", (10,), "DW",
            {CATALOGUE + "test_what_makes_no_sense_is_refused_by_name": 10}),
    14: Row("settings change under way", (0,), "W", {SCENES + "test_settings_changed_under_way_change_nothing": 0}),
    15: Row("netrc, proxies, key log and the like around it", (0,), "FT",
            {SCENES + "test_what_stands_around_the_command_is_ignored": 0},
            but="PYTHONPATH acts before the program begins"),
    16: Row("the name does not resolve", (20,), "U"),
    17: Row("a public name leads inside", (22,), "F",
            {BOUNDARY + "test_a_public_name_that_leads_inside_is_refused_before_a_connection": 22,
             SCENES + "test_a_public_name_that_this_machine_leads_inside": 22}),
    18: Row("nobody listens", (20,), "U"),
    19: Row("the connection hangs", (20,), "U"),
    20: Row("a certificate or protocol that is not good enough", (10, 22), "F",
            but="Python does not show the dates of a certificate it refused; the reason and our own clock are told"),
    21: Row("the handshake does not end", (20,), "U", but="connecting and handshake have one limit, so both are named"),
    22: Row("the clock is wrong", (10, 22), "ZW",
            but="a source that is not trusted is not asked for the time: the message tells our own"),
    23: Row("a portal or proxy answers", (21, 22), "WZ"),
    24: Row("IPv6 is broken, IPv4 is not", (0,), "U", {CUTS + "test_a_dead_address_beside_a_good_one": 0}),
    25: Row("a kept connection was closed", (0,), "L",
            {PACE + "test_a_closed_kept_connection_is_replaced_and_counted": 0, CUTS + "test_each_connection_serves_once": 0}),
    26: Row("401 on the first page", (11,), "T"),
    27: Row("401 in the middle of a walk", (11,), "HZ"),
    28: Row("403", (12,), "Z"),
    29: Row("404 on a list", (21,), "LGZ"),
    30: Row("404 on a single record", (0,), "W", {PASSES + "test_a_look_up_tells_what_is_gone_and_hands_on_what_is_not": 0},
            but="a single record is asked for only to learn whether it is gone"),
    31: Row("408, 5xx", (20,), "U", {ALL + "test_a_fault_ends_as_expected_and_never_in_wrong_data": 20}),
    32: Row("429 that says when to come back", (0, 20), "U",
            {PACE + "test_a_wait_asked_for_holds_every_request": 0,
             PACE + "test_a_wait_beyond_the_deadline_stops_at_once_and_says_when_to_come_back": 20,
             PACE + "test_a_date_is_compared_with_the_source_s_own_clock": 0}),
    33: Row("429 that says nothing", (0, 12, 20), "U",
            {PACE + "test_a_limit_that_stays_grows_the_wait": 20, PACE + "test_workers_under_way_learn_of_a_limit": 0}),
    34: Row("an error object with status 200", (21,), "Z"),
    35: Row("a status without data", (20, 21), "LZ", but="a flood of interim answers ends at the request's deadline"),
    36: Row("redirects", (21, 22), "FT", {ORIGIN + "test_no_redirect_leads_the_token_away": 22}),
    37: Row("everything fails for hours", (20,), "U", {PACE + "test_a_source_that_is_down_gets_probes_only_and_is_given_up": 20}),
    38: Row("half of all requests fail", (0,), "LD", {SURVIVAL + "test_half_of_failures_loses_nothing": 0}),
    39: Row("retries multiply", (20,), "U", {PACE + "test_a_failure_is_retried_by_one_layer_only": 20}),
    40: Row("slower and slower", (20, 30), "U", but="the limit that struck is named, not the slowest page"),
    41: Row("shorter than it says", (0, 20, 21), "L", {CUTS + "test_a_body_cut_anywhere_is_never_taken_for_whole": 0},
            but="bytes beyond the length are no cut but broken HTTP (21)"),
    42: Row("nothing says where it ends", (21,), "L"),
    43: Row("packed, and cut in a sound frame", (0, 20), "LZ", {CUTS + "test_a_packed_body_cut_anywhere_is_never_taken_for_whole": 0}),
    44: Row("too large", (22, 30), "U", {HOSTILE + "test_a_hostile_source_is_stopped_within_bounds": 22}),
    45: Row("packed otherwise than it says", (21,), "W"),
    46: Row("empty", (21,), "LZ"),
    47: Row("another type", (21,), "W"),
    48: Row("not UTF-8", (21,), "W"),
    49: Row("nesting", (21,), "IU"),
    50: Row("numbers that are none, or too large", (21, 41), "W", but=QUARANTINE),
    51: Row("a name twice", (21, 41), "W", but=QUARANTINE),
    52: Row("text that cannot be kept", (22, 41), "WU", but=QUARANTINE + "; one text is bounded by its body"),
    53: Row("another company's body", (21,), "WP"),
    54: Row("no page in the envelope", (21,), "LZ"),
    55: Row("a record without a key", (41,), "LD", but=QUARANTINE),
}  # fmt: skip
