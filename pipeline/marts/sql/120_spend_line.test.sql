-- test: grain (required)
-- No reporting line stands in it twice.
SELECT
    concat_ws(' / ', company_id, document_type, document_id, line_id, split_id) AS key,
    'stands ' || count(*) || ' times' AS detail
FROM mart.spend_line
GROUP BY company_id, document_type, document_id, line_id, split_id
HAVING count(*) > 1

-- test: lines_once (required)
-- Every expense and invoice line stands in it exactly once: itself, or all of its parts instead.
WITH
line AS (
    SELECT company_id, 'claim' AS document_type, claim_id AS document_id, id AS line_id, is_split IS false AS is_whole
    FROM live_expense
    UNION ALL
    SELECT company_id, 'invoice' AS document_type, invoice_id AS document_id, id AS line_id, is_split IS false AS is_whole
    FROM live_invoice_line
),
part AS (
    SELECT company_id, 'claim' AS document_type, claim_id AS document_id, expense_id AS line_id, count(*) AS part_count
    FROM live_expense_split
    GROUP BY company_id, claim_id, expense_id
    UNION ALL
    SELECT
        company_id, 'invoice' AS document_type, invoice_id AS document_id, invoice_line_id AS line_id,
        count(*) AS part_count
    FROM live_invoice_split
    GROUP BY company_id, invoice_id, invoice_line_id
),
wanted AS (
    SELECT
        company_id, document_type, document_id, line_id,
        coalesce(is_whole, false) OR part_count IS NULL AS is_whole,
        CASE WHEN coalesce(is_whole, false) THEN 0 ELSE coalesce(part_count, 0) END AS part_count
    FROM line
    FULL JOIN part USING (company_id, document_type, document_id, line_id)
),
found AS (
    SELECT
        company_id, document_type, document_id, line_id,
        count(*) FILTER (WHERE split_id IS NULL) AS whole_count,
        count(split_id) AS part_count
    FROM mart.spend_line
    GROUP BY company_id, document_type, document_id, line_id
)
SELECT
    concat_ws(' / ', company_id, document_type, document_id, line_id) AS key,
    concat(
        'stands ', coalesce(found.whole_count, 0), ' times itself and in ', coalesce(found.part_count, 0), ' parts, and not ',
        coalesce(wanted.is_whole, false)::INTEGER, ' times and in ', coalesce(wanted.part_count, 0)
    ) AS detail
FROM wanted
FULL JOIN found USING (company_id, document_type, document_id, line_id)
WHERE
    found.whole_count IS DISTINCT FROM wanted.is_whole::INTEGER
    OR found.part_count IS DISTINCT FROM wanted.part_count

-- test: ties_to_headers (told)
-- The lines that count in totals add up to the documents' totals, by month of the documents, in each currency.
WITH
line AS (
    SELECT
        company_id, document_type, month_of(created_on) AS month_on, currency_code,
        sum(gross_amount) AS gross_amount, sum(net_amount) AS net_amount, sum(tax_amount) AS tax_amount
    FROM mart.spend_line
    WHERE is_in_totals
    GROUP BY company_id, document_type, month_of(created_on), currency_code
),
header AS (
    SELECT
        document.company_id, document.document_type, month_of(document.created_on) AS month_on, total.currency_code,
        sum(total.gross_amount) AS gross_amount, sum(total.net_amount) AS net_amount,
        sum(total.tax_amount) AS tax_amount
    FROM mart.document AS document
    INNER JOIN mart.document_total AS total
        ON total.company_id = document.company_id
        AND total.document_type = document.document_type
        AND total.document_id = document.document_id
        AND total.basis = 'transaction'
    GROUP BY document.company_id, document.document_type, month_of(document.created_on), total.currency_code
),
both_sides AS (
    SELECT
        coalesce(line.company_id, header.company_id) AS company_id,
        coalesce(line.document_type, header.document_type) AS document_type,
        coalesce(line.month_on, header.month_on) AS month_on,
        coalesce(line.currency_code, header.currency_code) AS currency_code,
        coalesce(line.gross_amount, 0) - coalesce(header.gross_amount, 0) AS gross_amount,
        coalesce(line.net_amount, 0) - coalesce(header.net_amount, 0) AS net_amount,
        coalesce(line.tax_amount, 0) - coalesce(header.tax_amount, 0) AS tax_amount
    FROM line
    FULL JOIN header
        ON header.company_id = line.company_id
        AND header.document_type = line.document_type
        AND header.month_on IS NOT DISTINCT FROM line.month_on
        AND header.currency_code IS NOT DISTINCT FROM line.currency_code
)
SELECT
    concat_ws(' / ', company_id, document_type, month_on, currency_code) AS key,
    concat_ws(' ', 'lines less totals: gross', gross_amount, 'net', net_amount, 'tax', tax_amount) AS detail
FROM both_sides
WHERE
    (gross_amount <> 0 OR net_amount <> 0 OR tax_amount <> 0)
    -- Where no line brings an amount, or no document a total, the source does not send them: there is nothing to compare.
    AND document_type IN (SELECT document_type FROM mart.spend_line WHERE gross_amount IS NOT NULL)
    AND document_type IN (SELECT document_type FROM mart.document_total WHERE basis = 'transaction' AND gross_amount IS NOT NULL)
