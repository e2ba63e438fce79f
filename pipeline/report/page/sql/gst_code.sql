-- Tax on the spend of this BAS quarter and the one before by tax code, as the source sent it.
SELECT
    currency_code AS currency,
    bas_quarter,
    coalesce(tax_code_name, '(no tax code)') AS name,
    sum(line_count)::BIGINT AS line_count,
    sum(net_amount) AS net,
    sum(tax_amount) AS tax
FROM mart.gst_bas
WHERE counts_as = 'spend' AND currency_code IS NOT NULL
    AND bas_quarter_start_on BETWEEN $quarter_start - INTERVAL 3 MONTH AND $quarter_start
GROUP BY currency_code, bas_quarter, tax_code_name
ORDER BY currency, bas_quarter DESC, tax DESC, name
