-- test: once (required)
-- Every claim and invoice stands in it exactly once.
WITH
sent AS (
    SELECT company_id, 'claim' AS document_type, id AS document_id FROM live_claim
    UNION ALL
    SELECT company_id, 'invoice' AS document_type, id AS document_id FROM live_invoice
),
found AS (
    SELECT company_id, document_type, document_id, count(*) AS found_count
    FROM mart.document
    GROUP BY company_id, document_type, document_id
)
SELECT
    concat_ws(' / ', company_id, document_type, document_id) AS key,
    'stands ' || coalesce(found.found_count, 0) || ' times' AS detail
FROM sent
FULL JOIN found USING (company_id, document_type, document_id)
WHERE found.found_count IS DISTINCT FROM 1
