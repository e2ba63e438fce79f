-- Describes every table, view and column of some schemas from the file's own catalogue; `facts` adds what only the
-- resources file and the marts' files know.

INSERT INTO meta.data_dictionary (
    schema_name, table_name, column_name, position, type, is_key, currency_column, source_fields, evidence, known_values,
    about
)
WITH home AS (
    SELECT schema_name, table_name, comment
    FROM duckdb_tables()
    WHERE NOT temporary AND schema_name <> 'history' AND list_contains($schemas, schema_name)
    UNION ALL
    SELECT schema_name, view_name, comment
    FROM duckdb_views()
    WHERE NOT temporary AND schema_name = 'history' AND list_contains($schemas, schema_name)
)
SELECT schema_name, table_name, NULL, 0, NULL, false, NULL, [], NULL, NULL, comment
FROM home
UNION ALL
SELECT
    found.schema_name, found.table_name, found.column_name, found.column_index, found.data_type,
    coalesce(facts.is_key, false), facts.currency_column, coalesce(facts.source_fields, []), facts.evidence,
    facts.known_values, found.comment
FROM duckdb_columns() AS found
LEFT JOIN facts
    ON found.schema_name <> 'meta' AND found.table_name = facts.table_name AND found.column_name = facts.column_name
WHERE found.database_name <> 'temp' AND list_contains($schemas, found.schema_name)
ORDER BY 1 DESC, 2, 4;
