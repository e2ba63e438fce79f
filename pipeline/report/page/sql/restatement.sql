-- Values of closed accounting periods that later runs changed, the newest first: amounts, dates and states are shown, other
-- values only named. The first 50; without the last line it gives all.
SELECT
    restated_on,
    document_type,
    document_id,
    supplier_name AS supplier,
    table_name,
    column_name,
    kind,
    if(column_name SIMILAR TO '.*(amount|date|status|currency_code)', value_before, NULL) AS value_before,
    if(column_name SIMILAR TO '.*(amount|date|status|currency_code)', value_after, NULL) AS value_after,
    count(*) OVER () AS row_count
FROM mart.restatement
ORDER BY run_id DESC, table_name, record_key, column_name
LIMIT 50
