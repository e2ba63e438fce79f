-- test: ties_to_lines (required)
-- Its tax is the tax that the source sent with the reporting lines, currency by currency.
WITH
quarter AS (
    SELECT currency_code, sum(tax_amount) AS tax_amount
    FROM mart.gst_bas
    GROUP BY currency_code
),
line AS (
    SELECT claim_currency_code AS currency_code, sum(claim_tax_amount) AS tax_amount
    FROM mart.spend_line
    WHERE claim_gross_amount IS NOT NULL AND claim_currency_code IS NOT NULL
    GROUP BY claim_currency_code
)
SELECT
    currency_code AS key,
    concat_ws(' ', 'tax', quarter.tax_amount, 'and not', line.tax_amount) AS detail
FROM quarter
FULL JOIN line USING (currency_code)
WHERE quarter.tax_amount IS DISTINCT FROM line.tax_amount
