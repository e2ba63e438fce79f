-- Claims by person in the fiscal year to date: the 50 greatest in each currency.
-- Without the line that begins with QUALIFY it gives all.
WITH person AS (
    $people
)

SELECT
    line.claim_currency_code AS currency,
    coalesce(person.name, '(none)') AS name,
    count(DISTINCT line.document_id) AS document_count,
    count(*) AS line_count,
    sum(line.claim_gross_amount) AS gross,
    count(*) OVER (PARTITION BY line.claim_currency_code) AS name_count
FROM mart.spend_line AS line
LEFT JOIN person ON (person.company_id, person.person_id) = (line.company_id, line.claimant_id)
WHERE line.is_spend AND line.document_type = 'claim' AND line.spent_on BETWEEN $year_start AND $today
    AND line.claim_currency_code IS NOT NULL
GROUP BY line.claim_currency_code, line.company_id, line.claimant_id, person.name
QUALIFY row_number() OVER (PARTITION BY line.claim_currency_code ORDER BY sum(line.claim_gross_amount) DESC, name, line.company_id, line.claimant_id) <= 50
ORDER BY currency, gross DESC, name, line.company_id, line.claimant_id
