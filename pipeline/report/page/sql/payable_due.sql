-- The 100 open supplier invoices that are longest past their due date, or fall due next. Without the last line it gives all.
SELECT
    supplier_name AS supplier,
    reference,
    document_id,
    status,
    due_on,
    days_until_due,
    gross_amount AS gross,
    currency_code AS currency,
    count(*) OVER () AS row_count
FROM mart.payable_due
ORDER BY due_on NULLS LAST, company_id, document_id, currency
LIMIT 100
