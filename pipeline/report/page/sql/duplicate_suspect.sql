-- What may have been claimed or invoiced twice, the newest groups first: to look at, both happen for good reasons. The first
-- 60 rows; without the last line it gives all.
WITH person AS (
    $people
)

SELECT
    coalesce(suspect.supplier_name, person.name, '(none)') AS name,
    if(suspect.rule = 'supplier_reference', 'same supplier and reference', 'same person, day and amount') AS why,
    suspect.reference,
    suspect.document_id,
    suspect.status,
    suspect.dated_on,
    suspect.gross_amount AS gross,
    suspect.currency_code AS currency,
    count(*) OVER () AS row_count
FROM mart.duplicate_suspect AS suspect
LEFT JOIN person ON (person.company_id, person.person_id) = (suspect.company_id, suspect.claimant_id)
ORDER BY max(suspect.dated_on) OVER (PARTITION BY suspect.rule, suspect.company_id, suspect.group_key) DESC NULLS LAST,
    suspect.rule, suspect.company_id, suspect.group_key, suspect.document_type, suspect.document_id,
    suspect.line_id
LIMIT 60
