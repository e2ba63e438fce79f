-- What a warehouse file says of itself: the run that filled it, what was checked, and what every column means.

CREATE SCHEMA meta;

CREATE TABLE meta.snapshot_info (
    run_id VARCHAR, data_as_at TIMESTAMPTZ, site VARCHAR, program_version VARCHAR, duckdb_version VARCHAR,
    source_sha256 VARCHAR, layout_sha256 VARCHAR
);
COMMENT ON TABLE meta.snapshot_info IS 'One row: which night this file shows';
COMMENT ON COLUMN meta.snapshot_info.run_id IS 'run that built this file';
COMMENT ON COLUMN meta.snapshot_info.data_as_at IS 'the source was read from this instant on, UTC';
COMMENT ON COLUMN meta.snapshot_info.site IS 'name of the site in the settings';
COMMENT ON COLUMN meta.snapshot_info.program_version IS 'version of prospend-pipeline';
COMMENT ON COLUMN meta.snapshot_info.duckdb_version IS 'version of DuckDB that wrote this file';
COMMENT ON COLUMN meta.snapshot_info.source_sha256 IS 'SHA-256 of the manifest of the newest run in this file; it names the runs before';
COMMENT ON COLUMN meta.snapshot_info.layout_sha256 IS 'SHA-256 over all tables, views and macros: the next night builds on a file of its own layout only';

CREATE TABLE meta.run (
    run_id VARCHAR, started_at TIMESTAMPTZ, data_as_at TIMESTAMPTZ, as_at TIMESTAMPTZ, closed_before TIMESTAMPTZ,
    site VARCHAR, program_version VARCHAR, manifest_sha256 VARCHAR
);
COMMENT ON TABLE meta.run IS 'One row a run that this file holds, oldest first';
COMMENT ON COLUMN meta.run.run_id IS 'run, named by its UTC start';
COMMENT ON COLUMN meta.run.started_at IS 'start of the run, UTC';
COMMENT ON COLUMN meta.run.data_as_at IS 'the source was read from this instant on, UTC';
COMMENT ON COLUMN meta.run.as_at IS 'instant from which the versions of this run hold, UTC: `_valid_from` of its rows';
COMMENT ON COLUMN meta.run.closed_before IS 'accounting periods before this instant were closed, UTC; NULL if none was';
COMMENT ON COLUMN meta.run.site IS 'name of the site in the settings';
COMMENT ON COLUMN meta.run.program_version IS 'version of prospend-pipeline';
COMMENT ON COLUMN meta.run.manifest_sha256 IS 'SHA-256 of the manifest that seals the run';

CREATE TABLE meta.run_resource (
    run_id VARCHAR, resource VARCHAR, mode VARCHAR, call_count BIGINT, page_count BIGINT, record_count BIGINT,
    quarantined_count BIGINT, superseded_count BIGINT, read_count BIGINT, new_count BIGINT, changed_count BIGINT,
    restored_count BIGINT, unchanged_count BIGINT, deleted_count BIGINT, row_count BIGINT,
    planned_call_count BIGINT, planned_row_count BIGINT
);
COMMENT ON TABLE meta.run_resource IS 'One row a run and resource: records = quarantined + superseded + read; read = new + changed + restored + unchanged';
COMMENT ON COLUMN meta.run_resource.run_id IS 'run';
COMMENT ON COLUMN meta.run_resource.resource IS 'resource, and name of its table';
COMMENT ON COLUMN meta.run_resource.mode IS 'full: every record was read; incremental: only what changed; kept: nothing was read';
COMMENT ON COLUMN meta.run_resource.call_count IS 'API calls, repeated attempts included';
COMMENT ON COLUMN meta.run_resource.page_count IS 'pages read';
COMMENT ON COLUMN meta.run_resource.record_count IS 'records on those pages';
COMMENT ON COLUMN meta.run_resource.quarantined_count IS 'records that did not fit; they stand in meta.quarantine';
COMMENT ON COLUMN meta.run_resource.superseded_count IS 'records left out because a newer version of the same key was read';
COMMENT ON COLUMN meta.run_resource.read_count IS 'rows that the records of this run stand for';
COMMENT ON COLUMN meta.run_resource.new_count IS 'rows that came with this run';
COMMENT ON COLUMN meta.run_resource.changed_count IS 'rows of which this run brought another version';
COMMENT ON COLUMN meta.run_resource.restored_count IS 'rows that were deleted and came back';
COMMENT ON COLUMN meta.run_resource.unchanged_count IS 'rows that were read and found as they were';
COMMENT ON COLUMN meta.run_resource.deleted_count IS 'rows that this run proved gone at the source';
COMMENT ON COLUMN meta.run_resource.row_count IS 'rows that are not deleted, after this run';
COMMENT ON COLUMN meta.run_resource.planned_call_count IS 'API calls expected before the run; NULL if no run came before';
COMMENT ON COLUMN meta.run_resource.planned_row_count IS 'rows expected before the run, superseded ones among them; NULL if no run came before';

CREATE TABLE meta.control_total (
    run_id VARCHAR, place VARCHAR, resource VARCHAR, table_name VARCHAR, column_name VARCHAR, currency VARCHAR,
    value_count BIGINT, total DECIMAL(38, 4)
);
COMMENT ON TABLE meta.control_total IS 'Exact sums of every amount per run and currency: pages = read + superseded';
COMMENT ON COLUMN meta.control_total.run_id IS 'run';
COMMENT ON COLUMN meta.control_total.place IS 'what was added up: pages: the records as sent; superseded: those that a newer version of the same run replaced; read: the rows the others stand for; warehouse: all rows that are not deleted';
COMMENT ON COLUMN meta.control_total.resource IS 'resource';
COMMENT ON COLUMN meta.control_total.table_name IS 'table the amount stands in';
COMMENT ON COLUMN meta.control_total.column_name IS 'column the amount stands in';
COMMENT ON COLUMN meta.control_total.currency IS 'ISO 4217 currency code; empty where the source gives none';
COMMENT ON COLUMN meta.control_total.value_count IS 'how many amounts were added';
COMMENT ON COLUMN meta.control_total.total IS 'their exact sum, in the currency beside it';

CREATE TABLE meta.restatement (
    run_id VARCHAR, resource VARCHAR, table_name VARCHAR, key VARCHAR[], column_name VARCHAR, before VARCHAR,
    after VARCHAR, kind VARCHAR
);
COMMENT ON TABLE meta.restatement IS 'Every value of a closed accounting period that a run changed, one row a value';
COMMENT ON COLUMN meta.restatement.run_id IS 'run that brought the change';
COMMENT ON COLUMN meta.restatement.resource IS 'resource';
COMMENT ON COLUMN meta.restatement.table_name IS 'table of the row';
COMMENT ON COLUMN meta.restatement.key IS 'values of the row''s key, outermost parent first, as text';
COMMENT ON COLUMN meta.restatement.column_name IS 'column of the value';
COMMENT ON COLUMN meta.restatement.before IS 'value before the run, as text; NULL if there was none';
COMMENT ON COLUMN meta.restatement.after IS 'value after the run, as text; NULL if there is none';
COMMENT ON COLUMN meta.restatement.kind IS 'what became of the row: changed, deleted or added (also: came back)';

CREATE TABLE meta.check_result (
    run_id VARCHAR, position INTEGER, name VARCHAR, required BOOLEAN, passed BOOLEAN, detail VARCHAR, numbers VARCHAR,
    blamed_count BIGINT
);
COMMENT ON TABLE meta.check_result IS 'One row a check made before this file was published';
COMMENT ON COLUMN meta.check_result.run_id IS 'run';
COMMENT ON COLUMN meta.check_result.position IS 'order of the checks, from 0';
COMMENT ON COLUMN meta.check_result.name IS 'what is checked';
COMMENT ON COLUMN meta.check_result.required IS 'whether a failure refuses the publication';
COMMENT ON COLUMN meta.check_result.passed IS 'whether it held';
COMMENT ON COLUMN meta.check_result.detail IS 'what was found, in words and numbers';
COMMENT ON COLUMN meta.check_result.numbers IS 'JSON object of what was counted, by name';
COMMENT ON COLUMN meta.check_result.blamed_count IS 'how many rows are wrong; the first 1,000 stand in meta.check_failure';

CREATE TABLE meta.check_failure (run_id VARCHAR, name VARCHAR, resource VARCHAR, key VARCHAR[], detail VARCHAR);
COMMENT ON TABLE meta.check_failure IS 'Rows that a check of the run that built this file found wrong, at most 1,000 a check';
COMMENT ON COLUMN meta.check_failure.run_id IS 'run';
COMMENT ON COLUMN meta.check_failure.name IS 'name of the check, as in meta.check_result';
COMMENT ON COLUMN meta.check_failure.resource IS 'resource of the record to blame';
COMMENT ON COLUMN meta.check_failure.key IS 'key of the record, outermost parent first; empty where a whole column is to blame';
COMMENT ON COLUMN meta.check_failure.detail IS 'what is wrong with it';

CREATE TABLE meta.figure (
    run_id VARCHAR, kind VARCHAR, table_name VARCHAR, column_name VARCHAR, state VARCHAR, month VARCHAR, row_count BIGINT,
    filled_count BIGINT, newest_at TIMESTAMPTZ
);
COMMENT ON TABLE meta.figure IS 'What was counted in this file, for the next night to be compared with; deleted rows left out';
COMMENT ON COLUMN meta.figure.run_id IS 'run that built this file';
COMMENT ON COLUMN meta.figure.kind IS 'rows: of a table; filled: rows with a value, or with elements in a list; state: rows in a state; updated: newest change; zone: of the months';
COMMENT ON COLUMN meta.figure.table_name IS 'table';
COMMENT ON COLUMN meta.figure.column_name IS 'column, or child table of a list; NULL for kinds rows, updated and zone';
COMMENT ON COLUMN meta.figure.state IS 'for kind state: a known value, (other), or empty where there is none; for kind zone: the time zone';
COMMENT ON COLUMN meta.figure.month IS 'for kind state: month of the document''s period in the site''s time zone, such as 2026-05; empty where it has none';
COMMENT ON COLUMN meta.figure.row_count IS 'rows; for kind updated: rows without an update time';
COMMENT ON COLUMN meta.figure.filled_count IS 'for kind filled: rows with a value; for kind updated: rows changed in the future';
COMMENT ON COLUMN meta.figure.newest_at IS 'for kind updated: the newest update time, UTC';

CREATE TABLE meta.schema_change (
    run_id VARCHAR, resource VARCHAR, field VARCHAR, kind VARCHAR, record_count BIGINT, fill_percent DOUBLE,
    first_seen_run VARCHAR, first_seen_at TIMESTAMPTZ, found VARCHAR, proposed VARCHAR
);
COMMENT ON TABLE meta.schema_change IS 'Fields that came otherwise than the catalogue says';
COMMENT ON COLUMN meta.schema_change.run_id IS 'run';
COMMENT ON COLUMN meta.schema_change.resource IS 'resource';
COMMENT ON COLUMN meta.schema_change.field IS 'way to the field in the record, in API names';
COMMENT ON COLUMN meta.schema_change.kind IS 'unknown_field, unknown_value, changed_type, precision_reduced or alias_used';
COMMENT ON COLUMN meta.schema_change.record_count IS 'in how many of the records read in the run';
COMMENT ON COLUMN meta.schema_change.fill_percent IS 'that in percent of the records of the resource read in the run';
COMMENT ON COLUMN meta.schema_change.first_seen_run IS 'the first run in this file that met it';
COMMENT ON COLUMN meta.schema_change.first_seen_at IS 'instant from which the rows of that run hold, UTC';
COMMENT ON COLUMN meta.schema_change.found IS 'JSON types of an unknown field, or why a value did not fit; never a value';
COMMENT ON COLUMN meta.schema_change.proposed IS 'for an unknown field: lines for the end of prospend.toml that make it a column';

CREATE TABLE meta.quarantine (
    run_id VARCHAR, resource VARCHAR, context VARCHAR, key VARCHAR[], page INTEGER, record INTEGER, field VARCHAR,
    reason VARCHAR, raw VARCHAR, deleted_at TIMESTAMPTZ
);
COMMENT ON TABLE meta.quarantine IS 'Records that did not fit their table, as sent, of every run that read them: they stand in no row';
COMMENT ON COLUMN meta.quarantine.run_id IS 'run';
COMMENT ON COLUMN meta.quarantine.resource IS 'resource';
COMMENT ON COLUMN meta.quarantine.context IS 'JSON object with the keys of the parents';
COMMENT ON COLUMN meta.quarantine.key IS 'values of the record''s key, outermost parent first, as text; NULL if it has none that can be read';
COMMENT ON COLUMN meta.quarantine.page IS 'page of the resource in this run, from 0';
COMMENT ON COLUMN meta.quarantine.record IS 'position on the page, from 0';
COMMENT ON COLUMN meta.quarantine.field IS 'field that did not fit';
COMMENT ON COLUMN meta.quarantine.reason IS 'why, naming types';
COMMENT ON COLUMN meta.quarantine.raw IS 'the record as sent';
COMMENT ON COLUMN meta.quarantine.deleted_at IS 'instant of the run that proved the record gone at the source, UTC; else NULL';

CREATE TABLE meta.data_dictionary (
    schema_name VARCHAR, table_name VARCHAR, column_name VARCHAR, position INTEGER, type VARCHAR, is_key BOOLEAN,
    currency_column VARCHAR, source_fields VARCHAR[], evidence VARCHAR, known_values VARCHAR[], about VARCHAR
);
COMMENT ON TABLE meta.data_dictionary IS 'Every table and column of this file, and what it means';
COMMENT ON COLUMN meta.data_dictionary.schema_name IS 'schema';
COMMENT ON COLUMN meta.data_dictionary.table_name IS 'table';
COMMENT ON COLUMN meta.data_dictionary.column_name IS 'column; NULL in the row that describes the table itself';
COMMENT ON COLUMN meta.data_dictionary.position IS 'place of the column in its table, from 1; 0 for the table itself';
COMMENT ON COLUMN meta.data_dictionary.type IS 'SQL type; NULL for the table itself';
COMMENT ON COLUMN meta.data_dictionary.is_key IS 'whether the column is part of what identifies a row';
COMMENT ON COLUMN meta.data_dictionary.currency_column IS 'for an amount: the column beside it with its currency';
COMMENT ON COLUMN meta.data_dictionary.source_fields IS 'fields of the API that the value is made of, each as resource.field in API names; empty for columns this program adds';
COMMENT ON COLUMN meta.data_dictionary.evidence IS 'documented: the vendor''s pages name all of these fields; inferred: at least one is named by no page and may be missing; NULL without fields';
COMMENT ON COLUMN meta.data_dictionary.known_values IS 'values the API''s documentation names; NULL if it names none';
COMMENT ON COLUMN meta.data_dictionary.about IS 'meaning, with unit';
