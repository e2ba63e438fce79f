-- GST by month and quarter of the Business Activity Statement and tax code: the tax that the source sent, never computed from
-- a rate. Every reporting line with an amount is in it, by what it counts as; month and quarter are those of the day of the
-- spend or the date of the invoice. Amounts are in the currency of the claim or invoice.
--
-- grain: company_id, month_on, tax_code_id, counts_as, is_finalised, currency_code
-- evidence: inferred
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- month_on: first day of the month, for monthly statements; NULL for lines without a date
-- bas_quarter: quarter, such as 2026-Q3 for July to September 2026; NULL for lines without a date
-- bas_quarter_start_on: first day of the quarter
-- tax_code_id: tax code
-- tax_code_name: name of the tax code; NULL if it is gone
-- counts_as: spend, credit, personal, omitted, rejected or cancelled
-- is_finalised: whether the documents are finalised
-- currency_code: ISO 4217 code of the claim's or invoice's currency
-- line_count: how many reporting lines
-- gross_amount: amount including tax
-- net_amount: amount excluding tax
-- tax_amount: tax as sent
WITH
line AS (
    SELECT
        company_id, company_name, month_on, tax_code_id, tax_code_name,
        counts_as, coalesce(lower(status) = 'finalised', false) AS is_finalised,
        claim_currency_code AS currency_code,
        claim_gross_amount AS gross_amount, claim_net_amount AS net_amount, claim_tax_amount AS tax_amount
    FROM mart.spend_line
    WHERE claim_gross_amount IS NOT NULL AND claim_currency_code IS NOT NULL
)
SELECT
    company_id,
    max(company_name) AS company_name,
    month_on,
    year(month_on) || '-Q' || quarter(month_on) AS bas_quarter,
    date_trunc('quarter', month_on)::DATE AS bas_quarter_start_on,
    tax_code_id,
    max(tax_code_name) AS tax_code_name,
    counts_as,
    is_finalised,
    currency_code,
    count(*) AS line_count,
    sum(gross_amount) AS gross_amount,
    sum(net_amount) AS net_amount,
    sum(tax_amount) AS tax_amount
FROM line
GROUP BY company_id, month_on, tax_code_id, counts_as, is_finalised, currency_code
