-- Open supplier invoices less credit notes, by how long they are past their due date.
SELECT
    currency_code AS currency,
    age_bucket AS bucket,
    sum(invoice_count)::BIGINT AS invoice_count,
    sum(gross_amount) AS gross,
    min(oldest_due_on) AS oldest_due_on
FROM mart.payable_ageing
WHERE currency_code IS NOT NULL
GROUP BY currency_code, age_bucket, bucket_order
ORDER BY currency, bucket_order
