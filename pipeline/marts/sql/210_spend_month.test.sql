-- test: ties_to_lines (required)
-- It comes to what the reporting lines that count as spend come to, currency by currency.
WITH
month AS (
    SELECT currency_code, sum(gross_amount) AS gross_amount, sum(net_amount) AS net_amount, sum(tax_amount) AS tax_amount
    FROM mart.spend_month
    GROUP BY currency_code
),
line AS (
    SELECT
        claim_currency_code AS currency_code,
        sum(claim_gross_amount) AS gross_amount, sum(claim_net_amount) AS net_amount,
        sum(claim_tax_amount) AS tax_amount
    FROM mart.spend_line
    WHERE counts_as = 'spend' AND claim_gross_amount IS NOT NULL AND claim_currency_code IS NOT NULL
    GROUP BY claim_currency_code
)
SELECT
    currency_code AS key,
    concat_ws(' ', 'gross', month.gross_amount, 'and not', line.gross_amount) AS detail
FROM month
FULL JOIN line USING (currency_code)
WHERE
    month.gross_amount IS DISTINCT FROM line.gross_amount
    OR month.net_amount IS DISTINCT FROM line.net_amount
    OR month.tax_amount IS DISTINCT FROM line.tax_amount
