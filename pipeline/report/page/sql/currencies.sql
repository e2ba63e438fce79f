-- The currencies of these books, the one with the most documents first: claims in their own currency, invoices in theirs.
SELECT currency_code AS currency, count(*) AS document_count
FROM mart.document_total
WHERE currency_code IS NOT NULL AND basis = if(document_type = 'claim', 'claim', 'transaction')
GROUP BY currency_code
ORDER BY document_count DESC, currency
