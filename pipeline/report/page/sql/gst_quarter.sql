-- Tax on spend and on credit notes in the last eight BAS quarters, as the source sent it.
SELECT
    currency_code AS currency,
    bas_quarter,
    if(bool_or(counts_as = 'spend'), sum(gross_amount) FILTER (WHERE counts_as = 'spend'), 0) AS gross,
    if(bool_or(counts_as = 'spend'), sum(tax_amount) FILTER (WHERE counts_as = 'spend'), 0) AS tax,
    if(bool_or(counts_as = 'spend' AND is_finalised), sum(tax_amount) FILTER (WHERE counts_as = 'spend' AND is_finalised), 0) AS finalised_tax,
    if(bool_or(counts_as = 'credit'), sum(tax_amount) FILTER (WHERE counts_as = 'credit'), 0) AS credit_tax
FROM mart.gst_bas
WHERE currency_code IS NOT NULL
    AND bas_quarter_start_on BETWEEN $quarter_start - INTERVAL 21 MONTH AND $quarter_start
GROUP BY currency_code, bas_quarter
ORDER BY currency, bas_quarter
