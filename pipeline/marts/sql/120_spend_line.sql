-- One row a reporting line of claims (expenses) and invoices (lines), whatever its status. The parts of a split line
-- stand in its place; a line that is said to be split, but of which no part was read, stands itself. Amounts are as sent
-- and signed; a line that came without amounts is here with NULL, so that nothing is left out in silence.
-- What counts is told by counts_as: nothing of rejected or cancelled documents, no omitted or personal line, and no
-- line of a credit note, which is an invoice whose totals are negative. A claim is none: one of which more was paid back
-- than spent lowers spend. Every other status counts, also one that nobody knows yet. Never add amounts of different
-- currencies.
--
-- grain: company_id, document_type, document_id, line_id, split_id
-- evidence: inferred
-- money: gross_amount, net_amount, tax_amount in currency_code
-- money: claim_gross_amount, claim_net_amount, claim_tax_amount in claim_currency_code
--
-- company_id: company of the document
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- line_id: key of the expense or invoice line
-- split_id: key of the part; NULL for a line that is not split
-- status: status of the document as sent, without spaces around it; NULL if the document itself could not be read
-- counts_as: spend, credit, personal, omitted, rejected or cancelled
-- is_spend: whether counts_as is spend
-- is_personal: whether the line, or the line it is a part of, is marked personal
-- is_omitted: whether the line, or the line it is a part of, was left out by the payer
-- is_credit: whether the document is a credit note: an invoice of which a total is negative and none is positive
-- is_split_part: whether the row is a part of a split line
-- is_in_totals: whether the totals of the document count it: its expense or invoice line is neither personal nor omitted
-- spent_on: day of the spend of an expense, date of an invoice; NULL if not sent
-- month_on: first day of that month
-- created_on: day on which the document was created
-- approved_on: day on which the document was approved
-- finalised_on: day on which the document was finalised
-- entity_id: entity the line is coded to
-- entity_name: name of the entity; NULL if it is gone
-- division_id: division (cost centre) the line is coded to
-- division_name: name of the division; NULL if it is gone
-- division_code: code of the division in the accounting system
-- project_id: project the line is coded to
-- project_name: name of the project; NULL if it is gone
-- portfolio_id: portfolio the line is coded to; of a part: that of its line
-- portfolio_name: name of the portfolio; NULL if it is gone
-- supplier_id: supplier of the invoice
-- supplier_name: name of the supplier; the name on the invoice if the supplier is gone
-- claimant_id: user id of the claimant
-- claimant_name: name of the claimant, on their newest claim
-- claim_type: kind of claim, such as Master Card; NULL for invoices
-- expense_type: expense type
-- gl_code: general-ledger code
-- tax_code_id: tax code
-- tax_code_name: name of the tax code; NULL if it is gone
-- item_code: item code of the line
-- item_name: item name of the line
-- description: what people wrote about the line
-- purchase_order: number of the matched purchase order; NULL for claims
-- has_receipt: whether a receipt is attached; NULL for invoices
-- gross_amount: amount including tax, in the original currency
-- net_amount: amount excluding tax, in the original currency
-- tax_amount: tax as sent, in the original currency
-- currency_code: ISO 4217 code of the original currency
-- claim_gross_amount: amount including tax, converted to the claim's currency; where no converted one came, the original one,
--   if the claim's totals are all in that currency; an invoice's is not converted
-- claim_net_amount: amount excluding tax, converted likewise
-- claim_tax_amount: tax as sent, converted likewise
-- claim_currency_code: ISO 4217 code of the claim's currency; for an invoice that of the line
WITH
-- A line that says it is not split is not, whatever parts are still known of it.
split_expense AS (
    SELECT DISTINCT company_id, claim_id, expense_id
    FROM live_expense_split
),
split_invoice_line AS (
    SELECT DISTINCT company_id, invoice_id, invoice_line_id
    FROM live_invoice_split
),
claim_line AS (
    SELECT
        expense.company_id, expense.claim_id, expense.id AS line_id, NULL::VARCHAR AS split_id,
        coalesce(expense.is_personal, false) AS is_personal,
        coalesce(expense.is_omitted, false) AS is_omitted,
        coalesce(expense.is_personal, false) OR coalesce(expense.is_omitted, false) AS is_left_out,
        expense.transaction_date, expense.entity_id, expense.division_id, expense.project_id, expense.portfolio_id,
        expense.expense_type, expense.gl_code, expense.tax_code_id,
        expense.code AS item_code, expense.name AS item_name, expense.description, expense.has_receipt,
        expense.gross_amount, expense.net_amount, expense.tax_amount, expense.currency_code,
        expense.claim_currency_total_gross_amount AS claim_gross_amount,
        expense.claim_currency_total_net_amount AS claim_net_amount,
        expense.claim_currency_total_tax_amount AS claim_tax_amount,
        expense.claim_currency_total_currency_code AS claim_currency_code
    FROM live_expense AS expense
    LEFT JOIN split_expense AS split
        ON split.company_id = expense.company_id
        AND split.claim_id = expense.claim_id
        AND split.expense_id = expense.id
    WHERE (split.expense_id IS NULL OR expense.is_split IS false)
    UNION ALL
    SELECT
        part.company_id, part.claim_id, part.expense_id AS line_id, part.id AS split_id,
        coalesce(part.is_personal, false) OR coalesce(expense.is_personal, false) AS is_personal,
        coalesce(expense.is_omitted, false) AS is_omitted,
        coalesce(expense.is_personal, false) OR coalesce(expense.is_omitted, false) AS is_left_out,
        expense.transaction_date, part.entity_id, part.division_id, part.project_id, expense.portfolio_id,
        part.expense_type, part.gl_code, part.tax_code_id,
        expense.code AS item_code, expense.name AS item_name, part.description, expense.has_receipt,
        part.gross_amount, part.net_amount, part.tax_amount, part.currency_code,
        part.claim_currency_total_gross_amount AS claim_gross_amount,
        part.claim_currency_total_net_amount AS claim_net_amount,
        part.claim_currency_total_tax_amount AS claim_tax_amount,
        part.claim_currency_total_currency_code AS claim_currency_code
    FROM live_expense_split AS part
    LEFT JOIN live_expense AS expense
        ON expense.company_id = part.company_id
        AND expense.claim_id = part.claim_id
        AND expense.id = part.expense_id
    WHERE expense.is_split IS DISTINCT FROM false
),
claim_currency AS (
    SELECT
        company_id, document_id AS claim_id,
        coalesce(max(currency_code) FILTER (WHERE basis = 'claim'), max(currency_code)) AS currency_code
    FROM mart.document_total
    WHERE document_type = 'claim'
    GROUP BY company_id, document_id
    HAVING count(*) FILTER (WHERE basis = 'claim') = 1 OR count(*) = 1
),
-- What was spent in the currency of its claim needs no conversion, and some sources then send none.
marked_claim_line AS (
    SELECT
        line.*,
        own.claim_id IS NOT NULL
        AND line.claim_gross_amount IS NULL
        AND line.claim_net_amount IS NULL
        AND line.claim_tax_amount IS NULL AS is_as_spent
    FROM claim_line AS line
    LEFT JOIN claim_currency AS own
        ON own.company_id = line.company_id
        AND own.claim_id = line.claim_id
        AND own.currency_code = upper(trim(line.currency_code))
),
converted_claim_line AS (
    SELECT * EXCLUDE (is_as_spent)
    FROM marked_claim_line
    WHERE NOT is_as_spent
    UNION ALL
    SELECT
        * EXCLUDE (is_as_spent, claim_gross_amount, claim_net_amount, claim_tax_amount, claim_currency_code),
        gross_amount AS claim_gross_amount, net_amount AS claim_net_amount, tax_amount AS claim_tax_amount,
        currency_code AS claim_currency_code
    FROM marked_claim_line
    WHERE is_as_spent
),
invoice_line AS (
    SELECT
        line.company_id, line.invoice_id, line.id AS line_id, NULL::VARCHAR AS split_id,
        coalesce(line.is_omitted, false) AS is_omitted,
        line.entity_id, line.division_id, line.project_id, line.portfolio_id,
        line.expense_type, line.gl_code, line.tax_code_id,
        line.code AS item_code, line.name AS item_name, line.description, line.purchase_order,
        line.gross_amount, line.net_amount, line.tax_amount, line.currency_code
    FROM live_invoice_line AS line
    LEFT JOIN split_invoice_line AS split
        ON split.company_id = line.company_id
        AND split.invoice_id = line.invoice_id
        AND split.invoice_line_id = line.id
    WHERE (split.invoice_line_id IS NULL OR line.is_split IS false)
    UNION ALL
    SELECT
        part.company_id, part.invoice_id, part.invoice_line_id AS line_id, part.id AS split_id,
        coalesce(line.is_omitted, false) AS is_omitted,
        part.entity_id, part.division_id, part.project_id, line.portfolio_id,
        part.expense_type, part.gl_code, part.tax_code_id,
        line.code AS item_code, line.name AS item_name, part.description, line.purchase_order,
        part.gross_amount, part.net_amount, part.tax_amount, part.currency_code
    FROM live_invoice_split AS part
    LEFT JOIN live_invoice_line AS line
        ON line.company_id = part.company_id
        AND line.invoice_id = part.invoice_id
        AND line.id = part.invoice_line_id
    WHERE line.is_split IS DISTINCT FROM false
),
claim AS (
    SELECT
        company_id, id, trim(status) AS status, claim_type, claimant_id,
        local_on(created_date) AS created_on,
        local_on(approved_date) AS approved_on,
        local_on(finalised_date) AS finalised_on
    FROM live_claim
),
invoice AS (
    SELECT
        company_id, id, trim(status) AS status, supplier_id, supplier_name,
        local_on(invoice_date) AS invoice_on,
        local_on(created_date) AS created_on,
        local_on(approved_date) AS approved_on,
        local_on(finalised_date) AS finalised_on
    FROM live_invoice
),
line AS (
    SELECT
        line.company_id, 'claim' AS document_type, line.claim_id AS document_id, line.line_id, line.split_id,
        claim.status, claim.claim_type, claim.claimant_id, NULL AS supplier_id, NULL AS name_on_invoice,
        line.is_personal, line.is_omitted, line.is_left_out,
        local_on(line.transaction_date) AS spent_on, claim.created_on, claim.approved_on, claim.finalised_on,
        line.entity_id, line.division_id, line.project_id, line.portfolio_id,
        line.expense_type, line.gl_code, line.tax_code_id,
        line.item_code, line.item_name, line.description, NULL AS purchase_order, line.has_receipt,
        line.gross_amount, line.net_amount, line.tax_amount, line.currency_code,
        line.claim_gross_amount, line.claim_net_amount, line.claim_tax_amount, line.claim_currency_code
    FROM converted_claim_line AS line
    LEFT JOIN claim ON claim.company_id = line.company_id AND claim.id = line.claim_id
    UNION ALL
    SELECT
        line.company_id, 'invoice' AS document_type, line.invoice_id AS document_id, line.line_id, line.split_id,
        invoice.status, NULL AS claim_type, NULL AS claimant_id, invoice.supplier_id, invoice.supplier_name,
        false AS is_personal, line.is_omitted, line.is_omitted AS is_left_out,
        invoice.invoice_on AS spent_on, invoice.created_on, invoice.approved_on, invoice.finalised_on,
        line.entity_id, line.division_id, line.project_id, line.portfolio_id,
        line.expense_type, line.gl_code, line.tax_code_id,
        line.item_code, line.item_name, line.description, line.purchase_order, NULL AS has_receipt,
        line.gross_amount, line.net_amount, line.tax_amount, line.currency_code,
        line.gross_amount AS claim_gross_amount, line.net_amount AS claim_net_amount,
        line.tax_amount AS claim_tax_amount, line.currency_code AS claim_currency_code
    FROM invoice_line AS line
    LEFT JOIN invoice ON invoice.company_id = line.company_id AND invoice.id = line.invoice_id
),
credit_note AS (
    SELECT company_id, document_type, document_id
    FROM mart.document_total
    WHERE document_type = 'invoice'
    GROUP BY company_id, document_type, document_id
    HAVING bool_or(gross_amount < 0) AND NOT bool_or(gross_amount > 0)
),
placed AS (
    SELECT
        line.*,
        CASE
            WHEN lower(line.status) = 'rejected' THEN 'rejected'
            WHEN lower(line.status) IN ('cancelled', 'canceled') THEN 'cancelled'
            WHEN line.is_omitted THEN 'omitted'
            WHEN line.is_personal THEN 'personal'
            WHEN credit_note.document_id IS NOT NULL THEN 'credit'
            ELSE 'spend'
        END AS counts_as,
        credit_note.document_id IS NOT NULL AS is_credit
    FROM line
    LEFT JOIN credit_note
        ON credit_note.company_id = line.company_id
        AND credit_note.document_type = line.document_type
        AND credit_note.document_id = line.document_id
)
SELECT
    line.company_id,
    company.company_name,
    line.document_type,
    line.document_id,
    line.line_id,
    line.split_id,
    line.status,
    line.counts_as,
    line.counts_as = 'spend' AS is_spend,
    line.is_personal,
    line.is_omitted,
    line.is_credit,
    line.split_id IS NOT NULL AS is_split_part,
    NOT line.is_left_out AS is_in_totals,
    line.spent_on,
    month_of(line.spent_on) AS month_on,
    line.created_on,
    line.approved_on,
    line.finalised_on,
    nullif(line.entity_id, '') AS entity_id,
    entity.entity_name,
    nullif(line.division_id, '') AS division_id,
    division.division_name,
    division.division_code,
    nullif(line.project_id, '') AS project_id,
    project.project_name,
    nullif(line.portfolio_id, '') AS portfolio_id,
    portfolio.portfolio_name,
    nullif(line.supplier_id, '') AS supplier_id,
    coalesce(supplier.supplier_name, nullif(line.name_on_invoice, '')) AS supplier_name,
    nullif(line.claimant_id, '') AS claimant_id,
    claimant.claimant_name,
    nullif(line.claim_type, '') AS claim_type,
    nullif(line.expense_type, '') AS expense_type,
    nullif(line.gl_code, '') AS gl_code,
    nullif(line.tax_code_id, '') AS tax_code_id,
    tax_code.tax_code_name,
    nullif(line.item_code, '') AS item_code,
    nullif(line.item_name, '') AS item_name,
    nullif(line.description, '') AS description,
    nullif(line.purchase_order, '') AS purchase_order,
    line.has_receipt::BOOLEAN AS has_receipt,
    line.gross_amount,
    line.net_amount,
    line.tax_amount,
    nullif(upper(trim(line.currency_code)), '') AS currency_code,
    line.claim_gross_amount,
    line.claim_net_amount,
    line.claim_tax_amount,
    nullif(upper(trim(line.claim_currency_code)), '') AS claim_currency_code
FROM placed AS line
LEFT JOIN mart.company AS company ON company.company_id = line.company_id
LEFT JOIN mart.entity AS entity ON entity.company_id = line.company_id AND entity.entity_id = line.entity_id
LEFT JOIN mart.division AS division
    ON division.company_id = line.company_id AND division.division_id = line.division_id
LEFT JOIN mart.project AS project ON project.company_id = line.company_id AND project.project_id = line.project_id
LEFT JOIN mart.portfolio AS portfolio
    ON portfolio.company_id = line.company_id AND portfolio.portfolio_id = line.portfolio_id
LEFT JOIN mart.supplier AS supplier
    ON supplier.company_id = line.company_id AND supplier.supplier_id = line.supplier_id
LEFT JOIN mart.claimant AS claimant
    ON claimant.company_id = line.company_id AND claimant.claimant_id = line.claimant_id
LEFT JOIN mart.tax_code AS tax_code
    ON tax_code.company_id = line.company_id AND tax_code.tax_code_id = line.tax_code_id
