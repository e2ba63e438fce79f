-- Entertainment by FBT year, 1 April to 31 March: half of it, and the share of employees where recipients came.
SELECT
    currency_code AS currency,
    fbt_year,
    count(*) AS line_count,
    sum(gross_amount) AS gross,
    sum(fifty_fifty_amount) AS fifty_fifty,
    count(recipient_count) AS with_recipients,
    sum(actual_amount) AS actual
FROM mart.fbt_entertainment
WHERE currency_code IS NOT NULL AND fbt_year IS NOT NULL
GROUP BY currency_code, fbt_year
ORDER BY currency, fbt_year DESC
