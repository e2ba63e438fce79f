-- Open claims and invoices in each currency by kind and status: how many are how old, and what they come to. Those without
-- a total, or with totals in several currencies, have no amount here.
SELECT
    coalesce(currency_code, 'none or several') AS currency,
    document_type || ', ' || coalesce(status, 'no status') AS kind,
    count(*) FILTER (WHERE age_days <= 7) AS to_7_count,
    count(*) FILTER (WHERE age_days BETWEEN 8 AND 30) AS to_30_count,
    count(*) FILTER (WHERE age_days BETWEEN 31 AND 90) AS to_90_count,
    count(*) FILTER (WHERE age_days > 90) AS over_90_count,
    count(*) AS document_count,
    sum(gross_amount) AS gross,
    max(age_days) AS oldest_days
FROM mart.open_item
GROUP BY coalesce(currency_code, 'none or several'), document_type, status
ORDER BY currency, document_type, document_count DESC, kind
