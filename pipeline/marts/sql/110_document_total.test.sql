-- test: ties_to_source (required)
-- Its amounts are those of the source's totals, currency by currency.
WITH
sent AS (
    SELECT 'claim claim' AS place, currency_code, gross_amount, net_amount, tax_amount FROM live_claim_currency_total
    UNION ALL
    SELECT 'claim transaction' AS place, currency_code, gross_amount, net_amount, tax_amount
    FROM live_claim_transaction_total
    UNION ALL
    SELECT 'invoice transaction' AS place, currency_code, gross_amount, net_amount, tax_amount
    FROM live_invoice_transaction_total
),
total AS (
    SELECT
        place, nullif(upper(trim(currency_code)), '') AS currency_code,
        sum(gross_amount) AS gross_amount, sum(net_amount) AS net_amount, sum(tax_amount) AS tax_amount
    FROM sent
    GROUP BY place, nullif(upper(trim(currency_code)), '')
),
stood AS (
    SELECT
        document_type || ' ' || basis AS place, currency_code,
        sum(gross_amount) AS gross_amount, sum(net_amount) AS net_amount, sum(tax_amount) AS tax_amount
    FROM mart.document_total
    GROUP BY document_type, basis, currency_code
)
SELECT
    concat_ws(' / ', coalesce(total.place, stood.place), coalesce(total.currency_code, stood.currency_code)) AS key,
    concat_ws(' ', 'gross', stood.gross_amount, 'and not', total.gross_amount) AS detail
FROM total
FULL JOIN stood
    ON stood.place = total.place AND stood.currency_code IS NOT DISTINCT FROM total.currency_code
WHERE
    stood.gross_amount IS DISTINCT FROM total.gross_amount
    OR stood.net_amount IS DISTINCT FROM total.net_amount
    OR stood.tax_amount IS DISTINCT FROM total.tax_amount
