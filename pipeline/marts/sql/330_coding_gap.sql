-- What is missing, one row a document or reporting line and gap: documents without lines, split lines without parts, lines
-- without an amount, its tax, a currency, a date or coding. Only of what counts as spend or credit. A field that no line of
-- its kind has is one that the source does not send, and no gap, but for the converted amount of what has an original one: it
-- is then in no sum. Neither are documents without lines where none has any. A claim of personal or omitted expenses alone
-- has no lines where the site does not read those.
--
-- grain: company_id, document_type, document_id, line_id, split_id, gap
-- evidence: inferred
-- money: gross_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- line_id: key of the expense or invoice line; NULL for a document without lines
-- split_id: key of the part; NULL for a line that is not split
-- gap: document_without_lines, split_without_parts, or line_without_ amount, tax, currency, converted_amount, date,
--   entity, division, expense_type, gl_code or tax_code; or division_not_listed
-- status: status of the document
-- supplier_name: name of the supplier
-- claimant_name: name of the claimant
-- spent_on: day of the spend, date of the invoice; of a document without lines its creation
-- currency_code: ISO 4217 code of the original currency; of a document that of its totals
-- gross_amount: amount including tax, if it is known
WITH
line AS (
    SELECT
        company_id, company_name, document_type, document_id, line_id, split_id, is_split_part, status, supplier_name,
        claimant_name, spent_on, entity_id, division_id, expense_type, gl_code, tax_code_id, currency_code, gross_amount,
        tax_amount, claim_gross_amount, claim_currency_code
    FROM mart.spend_line
    WHERE counts_as IN ('spend', 'credit')
),
sent AS (
    SELECT
        document_type,
        is_split_part,
        count(gross_amount) > 0 AS sends_amount,
        count(tax_amount) > 0 AS sends_tax,
        count(currency_code) > 0 AS sends_currency,
        count(spent_on) > 0 AS sends_date,
        count(entity_id) > 0 AS sends_entity,
        count(division_id) > 0 AS sends_division,
        count(expense_type) > 0 AS sends_expense_type,
        count(gl_code) > 0 AS sends_gl_code,
        count(tax_code_id) > 0 AS sends_tax_code
    FROM mart.spend_line
    GROUP BY document_type, is_split_part
),
split_line AS (
    SELECT company_id, 'claim' AS document_type, claim_id AS document_id, id AS line_id
    FROM live_expense
    WHERE is_split
    UNION ALL
    SELECT company_id, 'invoice' AS document_type, invoice_id AS document_id, id AS line_id
    FROM live_invoice_line
    WHERE is_split
),
checked AS (
    SELECT line.*, sent.* EXCLUDE (document_type, is_split_part), division.division_id IS NULL AS division_is_gone
    FROM line
    INNER JOIN sent ON sent.document_type = line.document_type AND sent.is_split_part = line.is_split_part
    LEFT JOIN mart.division AS division
        ON division.company_id = line.company_id AND division.division_id = line.division_id
),
gap AS (
    SELECT *, 'line_without_amount' AS gap FROM checked WHERE sends_amount AND gross_amount IS NULL
    UNION ALL
    SELECT *, 'line_without_tax' AS gap FROM checked WHERE sends_tax AND tax_amount IS NULL
    UNION ALL
    SELECT *, 'line_without_currency' AS gap FROM checked WHERE sends_currency AND currency_code IS NULL
    UNION ALL
    SELECT *, 'line_without_converted_amount' AS gap
    FROM checked
    WHERE gross_amount IS NOT NULL AND (claim_gross_amount IS NULL OR claim_currency_code IS NULL)
    UNION ALL
    SELECT *, 'line_without_date' AS gap FROM checked WHERE sends_date AND spent_on IS NULL
    UNION ALL
    SELECT *, 'line_without_entity' AS gap FROM checked WHERE sends_entity AND entity_id IS NULL
    UNION ALL
    SELECT *, 'line_without_division' AS gap FROM checked WHERE sends_division AND division_id IS NULL
    UNION ALL
    SELECT *, 'line_without_expense_type' AS gap FROM checked WHERE sends_expense_type AND expense_type IS NULL
    UNION ALL
    SELECT *, 'line_without_gl_code' AS gap FROM checked WHERE sends_gl_code AND gl_code IS NULL
    UNION ALL
    SELECT *, 'line_without_tax_code' AS gap FROM checked WHERE sends_tax_code AND tax_code_id IS NULL
    UNION ALL
    SELECT *, 'division_not_listed' AS gap
    FROM checked
    WHERE division_id IS NOT NULL AND division_is_gone
)
SELECT
    company_id,
    company_name,
    document_type,
    document_id,
    line_id,
    split_id,
    gap,
    status,
    supplier_name,
    claimant_name,
    spent_on,
    currency_code,
    gross_amount
FROM gap
UNION ALL
SELECT
    line.company_id, line.company_name, line.document_type, line.document_id, line.line_id, line.split_id,
    'split_without_parts' AS gap,
    line.status, line.supplier_name, line.claimant_name, line.spent_on, line.currency_code, line.gross_amount
FROM line
INNER JOIN split_line
    ON split_line.company_id = line.company_id
    AND split_line.document_type = line.document_type
    AND split_line.document_id = line.document_id
    AND split_line.line_id = line.line_id
WHERE line.split_id IS NULL
UNION ALL
SELECT
    company_id, company_name, document_type, document_id, NULL AS line_id, NULL AS split_id,
    'document_without_lines' AS gap,
    status, supplier_name, claimant_name, created_on AS spent_on, currency_code, gross_amount
FROM mart.document
WHERE
    line_count = 0
    AND counts_as IN ('spend', 'credit')
    AND document_type IN (SELECT document_type FROM sent)
