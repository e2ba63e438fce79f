-- Tax on spend and on credit notes in the last eight BAS quarters, as the source sent it.
SELECT
    currency_code AS currency,
    bas_quarter,
    coalesce(sum(gross_amount) FILTER (WHERE counts_as = 'spend'), 0) AS gross,
    coalesce(sum(tax_amount) FILTER (WHERE counts_as = 'spend'), 0) AS tax,
    coalesce(sum(tax_amount) FILTER (WHERE counts_as = 'spend' AND is_finalised), 0) AS finalised_tax,
    coalesce(sum(tax_amount) FILTER (WHERE counts_as = 'credit'), 0) AS credit_tax
FROM mart.gst_bas
WHERE currency_code IS NOT NULL
    AND bas_quarter_start_on BETWEEN $quarter_start - INTERVAL 21 MONTH AND $quarter_start
GROUP BY currency_code, bas_quarter
ORDER BY currency, bas_quarter
