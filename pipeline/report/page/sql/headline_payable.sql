-- Open supplier invoices less credit notes: all, those past their due date, and those that fall due soon.
SELECT
    currency_code AS currency,
    count(*) AS invoice_count,
    coalesce(sum(gross_amount), 0) AS gross,
    count(*) FILTER (WHERE is_overdue) AS overdue_count,
    coalesce(sum(gross_amount) FILTER (WHERE is_overdue), 0) AS overdue_gross,
    count(*) FILTER (WHERE is_due_soon) AS due_soon_count,
    coalesce(sum(gross_amount) FILTER (WHERE is_due_soon), 0) AS due_soon_gross
FROM mart.payable_due
WHERE currency_code IS NOT NULL
GROUP BY currency_code
ORDER BY currency
