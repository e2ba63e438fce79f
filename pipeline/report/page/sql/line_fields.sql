-- How many reporting lines hold each field that this page uses.
WITH line AS (
    SELECT
        count(*) AS line_count,
        count(claim_gross_amount) AS amount,
        count(claim_currency_code) AS currency,
        count(claim_tax_amount) AS tax,
        count(spent_on) AS day,
        count(entity_id) AS entity,
        count(division_id) AS division,
        count(expense_type) AS expense_type,
        count(tax_code_id) AS tax_code
    FROM mart.spend_line
)

SELECT
    replace(field, '_', ' ') AS field,
    filled_count,
    line_count,
    round(100 * filled_count / nullif(line_count, 0), 1) AS share_percent
FROM line
UNPIVOT (filled_count FOR field IN (amount, currency, tax, day, entity, division, expense_type, tax_code))
ORDER BY share_percent, field
