-- Spend by division (cost centre) in the fiscal year to date: the 50 greatest in each currency, and what share of the currency's spend each is.
-- Without the line that begins with QUALIFY it gives all.
SELECT
    claim_currency_code AS currency,
    coalesce(division_name || coalesce(' ' || division_code, ''), '(none)') AS name,
    count(*) AS line_count,
    sum(claim_gross_amount) AS gross,
    sum(claim_tax_amount) AS tax,
    round(100 * sum(claim_gross_amount)
        / nullif(sum(sum(claim_gross_amount)) OVER (PARTITION BY claim_currency_code), 0), 1) AS share_percent,
    count(*) OVER (PARTITION BY claim_currency_code) AS name_count
FROM mart.spend_line
WHERE is_spend AND spent_on BETWEEN $year_start AND $today AND claim_currency_code IS NOT NULL
GROUP BY claim_currency_code, company_id, division_id, division_name, division_code
QUALIFY row_number() OVER (PARTITION BY claim_currency_code ORDER BY sum(claim_gross_amount) DESC, name, company_id, division_id) <= 50
ORDER BY currency, gross DESC, name, company_id, division_id
