-- Documents that come to just less than an approval threshold of the site, the newest first. The first 50; without the last
-- line it gives all.
WITH person AS (
    $people
)

SELECT
    coalesce(document.supplier_name, person.name, '(none)') AS name,
    document.document_type,
    document.document_id,
    document.status,
    document.created_on,
    document.gross_amount AS gross,
    document.threshold_amount AS threshold,
    document.short_amount AS short,
    document.currency_code AS currency,
    count(*) OVER () AS row_count
FROM mart.below_threshold AS document
LEFT JOIN person ON (person.company_id, person.person_id) = (document.company_id, document.claimant_id)
ORDER BY document.created_on DESC, document.company_id, document.document_type, document.document_id, document.threshold_amount
LIMIT 50
