-- Open supplier invoices less credit notes: all, those past their due date, and those that fall due soon.
SELECT
    currency_code AS currency,
    count(*) AS invoice_count,
    sum(gross_amount) AS gross,
    count(*) FILTER (WHERE is_overdue) AS overdue_count,
    if(bool_or(is_overdue), sum(gross_amount) FILTER (WHERE is_overdue), 0) AS overdue_gross,
    count(*) FILTER (WHERE is_due_soon) AS due_soon_count,
    if(bool_or(is_due_soon), sum(gross_amount) FILTER (WHERE is_due_soon), 0) AS due_soon_gross
FROM mart.payable_due
WHERE currency_code IS NOT NULL
GROUP BY currency_code
ORDER BY currency
