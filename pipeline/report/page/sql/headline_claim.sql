-- Claims that are neither finalised nor rejected or cancelled; those with totals in several currencies have no total here.
SELECT
    currency_code AS currency,
    count(*) AS claim_count,
    sum(gross_amount) AS gross,
    max(age_days) AS oldest_days
FROM mart.open_item
WHERE document_type = 'claim' AND NOT is_credit AND currency_code IS NOT NULL
GROUP BY currency_code
ORDER BY currency
