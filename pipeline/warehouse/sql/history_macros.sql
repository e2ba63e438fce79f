-- What held at an instant, and what lies between two runs. Both work on every table, in DuckDB 1.4 and 2.0; the file must be
-- the database in use.

CREATE MACRO history.as_of(table_name, instant) AS TABLE
    FROM query_table('history.' || table_name)
    WHERE _valid_from <= instant AND (_valid_to IS NULL OR _valid_to > instant);
COMMENT ON MACRO TABLE history.as_of IS
    'Rows of a table as they held at an instant: FROM history.as_of(''claim'', TIMESTAMPTZ ''2026-06-30 14:00:00+00'')';

-- Versions that held at both instants need no look: of a large table only what changed between them is compared.
CREATE MACRO history.diff(table_name, run_a, run_b) AS TABLE
    WITH
    bounds AS (
        SELECT
            coalesce((SELECT run.as_at FROM meta.run AS run WHERE run.run_id = run_a), error('run_a is not in meta.run')) AS _a,
            coalesce((SELECT run.as_at FROM meta.run AS run WHERE run.run_id = run_b), error('run_b is not in meta.run')) AS _b
    ),
    version AS (
        SELECT
            _key, held,
            row(*COLUMNS(lambda c: c NOT IN (
                '_key', '_run_id', '_fetched_at', '_page', '_valid_from', '_valid_to', '_deleted_at', '_fingerprint', '_a', '_b'
            ))) AS _content,
            _valid_from <= _a AND (_valid_to IS NULL OR _valid_to > _a) AS _held_at_a,
            _valid_from <= _b AND (_valid_to IS NULL OR _valid_to > _b) AS _held_at_b
        FROM query_table('history.' || table_name) AS held, bounds
        WHERE _held_at_a <> _held_at_b
    ),
    earlier AS (SELECT _key, held, _content FROM version WHERE _held_at_a),
    later AS (SELECT _key, held, _content FROM version WHERE _held_at_b)
    SELECT
        CASE WHEN earlier._key IS NULL THEN 'added' WHEN later._key IS NULL THEN 'removed' ELSE 'changed' END AS change,
        coalesce(earlier._key, later._key) AS key,
        earlier.held AS before,
        later.held AS after
    FROM earlier FULL JOIN later ON earlier._key = later._key
    WHERE earlier._content IS DISTINCT FROM later._content
    ORDER BY key;
COMMENT ON MACRO TABLE history.diff IS
    'Rows of a table that two runs have otherwise, before and after: FROM history.diff(''claim'', ''20261123T020000Z'', ''20261124T020000Z'')';
