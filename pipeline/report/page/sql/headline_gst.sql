-- Tax on the spend of this BAS quarter so far, as the source sent it; never computed from a rate.
SELECT
    currency_code AS currency,
    sum(tax_amount) AS tax,
    if(bool_or(is_finalised), sum(tax_amount) FILTER (WHERE is_finalised), 0) AS finalised_tax
FROM mart.gst_bas
WHERE bas_quarter = $quarter AND counts_as = 'spend' AND currency_code IS NOT NULL
GROUP BY currency_code
ORDER BY currency
