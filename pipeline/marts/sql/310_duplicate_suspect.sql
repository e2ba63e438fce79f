-- What may have been claimed or invoiced twice, one row a document or line of a suspicious group. Rule supplier_reference:
-- invoices, or credit notes, of one supplier with the same reference, but for spaces, signs and case. Rule claimant_amount_date: expenses of
-- one claimant of one day, currency and amount. To look at: both happen for good reasons. Rejected and cancelled documents,
-- and personal and omitted expenses, are left out; a split expense is taken as the one that it is.
--
-- grain: rule, company_id, document_type, document_id, line_id
-- evidence: inferred
-- money: gross_amount in currency_code
--
-- rule: supplier_reference or claimant_amount_date
-- group_key: the same for the rows of a group, and for them alone; made of what they have in common, but does not show it
-- group_size: how many rows the group has
-- company_id: company
-- document_type: invoice for the first rule, claim for the second
-- document_id: key of the claim or invoice
-- line_id: key of the expense; NULL for the first rule
-- status: status of the document
-- reference: the supplier's invoice number; NULL for claims
-- supplier_id: supplier; NULL for claims
-- supplier_name: name of the supplier
-- claimant_id: user id of the claimant; NULL for invoices
-- claimant_name: name of the claimant
-- expense_type: expense type; NULL for invoices
-- dated_on: date of the invoice, day of the spend
-- currency_code: ISO 4217 code; of an invoice with totals in one currency, or the original one of an expense
-- gross_amount: amount including tax; NULL for an invoice with totals in several currencies
WITH
invoice AS (
    SELECT
        company_id, document_id, status, reference, supplier_id, supplier_name, invoice_on, is_credit,
        currency_code, gross_amount, upper(regexp_replace(reference, '[^\pL\pN]', '', 'g')) AS bare_reference
    FROM mart.document
    WHERE document_type = 'invoice' AND counts_as NOT IN ('rejected', 'cancelled') AND supplier_id IS NOT NULL
),
invoice_group AS (
    SELECT company_id, supplier_id, bare_reference, is_credit, count(*) AS group_size
    FROM invoice
    WHERE bare_reference <> ''
    GROUP BY company_id, supplier_id, bare_reference, is_credit
    HAVING count(*) > 1
),
expense AS (
    SELECT
        expense.company_id, expense.claim_id, expense.id AS line_id, claim.status, claim.claimant_id,
        claim.claimant_name, nullif(expense.expense_type, '') AS expense_type,
        local_on(expense.transaction_date) AS spent_on,
        nullif(upper(trim(expense.currency_code)), '') AS currency_code, expense.gross_amount
    FROM live_expense AS expense
    INNER JOIN mart.document AS claim
        ON claim.company_id = expense.company_id
        AND claim.document_type = 'claim'
        AND claim.document_id = expense.claim_id
    WHERE
        expense.is_personal IS DISTINCT FROM true
        AND expense.is_omitted IS DISTINCT FROM true
        AND expense.gross_amount <> 0
        AND claim.counts_as NOT IN ('rejected', 'cancelled')
),
expense_group AS (
    SELECT company_id, claimant_id, spent_on, currency_code, gross_amount, count(*) AS group_size
    FROM expense
    WHERE claimant_id IS NOT NULL AND spent_on IS NOT NULL AND currency_code IS NOT NULL
    GROUP BY company_id, claimant_id, spent_on, currency_code, gross_amount
    HAVING count(*) > 1
)
SELECT
    'supplier_reference' AS rule,
    left(
        md5(concat_ws(' / ', invoice.company_id, invoice.supplier_id, invoice.bare_reference, invoice.is_credit)), 12
    ) AS group_key,
    invoice_group.group_size,
    invoice.company_id,
    'invoice' AS document_type,
    invoice.document_id,
    NULL::VARCHAR AS line_id,
    invoice.status,
    invoice.reference,
    invoice.supplier_id,
    invoice.supplier_name,
    NULL::VARCHAR AS claimant_id,
    NULL::VARCHAR AS claimant_name,
    NULL::VARCHAR AS expense_type,
    invoice.invoice_on AS dated_on,
    invoice.currency_code,
    invoice.gross_amount
FROM invoice
INNER JOIN invoice_group
    ON invoice_group.company_id = invoice.company_id
    AND invoice_group.supplier_id = invoice.supplier_id
    AND invoice_group.bare_reference = invoice.bare_reference
    AND invoice_group.is_credit = invoice.is_credit
UNION ALL
SELECT
    'claimant_amount_date' AS rule,
    left(
        md5(
            concat_ws(
                ' / ',
                expense.company_id, expense.claimant_id, expense.spent_on, expense.currency_code, expense.gross_amount
            )
        ),
        12
    ) AS group_key,
    expense_group.group_size,
    expense.company_id,
    'claim' AS document_type,
    expense.claim_id AS document_id,
    expense.line_id,
    expense.status,
    NULL AS reference,
    NULL AS supplier_id,
    NULL AS supplier_name,
    expense.claimant_id,
    expense.claimant_name,
    expense.expense_type,
    expense.spent_on AS dated_on,
    expense.currency_code,
    expense.gross_amount
FROM expense
INNER JOIN expense_group
    ON expense_group.company_id = expense.company_id
    AND expense_group.claimant_id = expense.claimant_id
    AND expense_group.spent_on = expense.spent_on
    AND expense_group.currency_code = expense.currency_code
    AND expense_group.gross_amount = expense.gross_amount
