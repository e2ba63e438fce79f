-- Open invoices by how long they are overdue on the day of the data, one row a supplier, bucket, status and currency.
--
-- grain: company_id, supplier_id, age_bucket, status, currency_code
-- evidence: documented
-- money: gross_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- supplier_id: supplier
-- supplier_name: name of the supplier
-- age_bucket: not due, 1-30 days, 31-60 days, 61-90 days, over 90 days, or no due date
-- bucket_order: place of the bucket in that order, from 1
-- status: status of the invoices
-- currency_code: ISO 4217 currency code
-- invoice_count: how many invoices, credit notes among them
-- oldest_due_on: the earliest day on which one of them is or was due
-- gross_amount: amount including tax, less credit notes
SELECT
    company_id,
    max(company_name) AS company_name,
    supplier_id,
    max(supplier_name) AS supplier_name,
    age_bucket,
    list_position(
        ['not due', '1-30 days', '31-60 days', '61-90 days', 'over 90 days', 'no due date'], age_bucket
    )::INTEGER AS bucket_order,
    status,
    currency_code,
    count(*) AS invoice_count,
    min(due_on) AS oldest_due_on,
    sum(gross_amount) AS gross_amount
FROM mart.payable_due
GROUP BY company_id, supplier_id, age_bucket, status, currency_code
