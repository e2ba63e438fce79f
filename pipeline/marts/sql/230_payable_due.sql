-- One row an open invoice and currency of its totals: what is to be paid and when. An invoice is open until it is
-- finalised, rejected or cancelled; whether it was paid the source does not say. Credit notes are here with their sign. One
-- that came without totals is a row without amounts and currency.
--
-- grain: company_id, document_id, currency_code
-- evidence: documented
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- document_id: key of the invoice
-- reference: the supplier's invoice number
-- supplier_id: supplier
-- supplier_name: name of the supplier
-- supplier_code: vendor code in the accounting system
-- status: status as sent
-- is_credit: whether it is a credit note
-- invoice_on: date of the invoice
-- due_on: day on which payment is due; NULL if not sent
-- days_until_due: days from the day of the data to due_on; negative when overdue
-- is_due_soon: whether it is due within the site's due_soon_days and not overdue
-- is_overdue: whether due_on lies before the day of the data
-- age_bucket: not due, 1-30 days, 31-60 days, 61-90 days, over 90 days, or no due date
-- currency_code: ISO 4217 currency code; NULL of an invoice without totals
-- gross_amount: amount including tax
-- net_amount: amount excluding tax
-- tax_amount: tax as sent
WITH
invoice AS (
    SELECT
        company_id, company_name, document_id, reference, supplier_id, supplier_name, supplier_code, status, is_credit,
        invoice_on, due_on, due_on - getvariable('today') AS days_until_due
    FROM mart.document
    WHERE document_type = 'invoice' AND is_open
)
SELECT
    invoice.company_id,
    invoice.company_name,
    invoice.document_id,
    invoice.reference,
    invoice.supplier_id,
    invoice.supplier_name,
    invoice.supplier_code,
    invoice.status,
    invoice.is_credit,
    invoice.invoice_on,
    invoice.due_on,
    invoice.days_until_due,
    coalesce(invoice.days_until_due BETWEEN 0 AND getvariable('due_soon_days'), false) AS is_due_soon,
    coalesce(invoice.days_until_due < 0, false) AS is_overdue,
    CASE
        WHEN invoice.days_until_due IS NULL THEN 'no due date'
        WHEN invoice.days_until_due >= 0 THEN 'not due'
        WHEN invoice.days_until_due >= -30 THEN '1-30 days'
        WHEN invoice.days_until_due >= -60 THEN '31-60 days'
        WHEN invoice.days_until_due >= -90 THEN '61-90 days'
        ELSE 'over 90 days'
    END AS age_bucket,
    total.currency_code,
    total.gross_amount,
    total.net_amount,
    total.tax_amount
FROM invoice
LEFT JOIN mart.document_total AS total
    ON total.company_id = invoice.company_id
    AND total.document_type = 'invoice'
    AND total.document_id = invoice.document_id
    AND total.basis = 'transaction'
