-- Spend of this month and this fiscal year so far, against the same days a year before; each line in the currency of its
-- claim or invoice, by the day it was spent. Credit notes, personal, omitted, rejected and cancelled lines do not count.
-- Where there are lines and no amount was sent with any of them, it is missing and not 0.
WITH line AS (
    SELECT
        claim_currency_code AS currency,
        claim_gross_amount AS gross,
        spent_on >= $month_start AS is_of_month,
        spent_on BETWEEN $month_start - INTERVAL 1 YEAR AND $today - INTERVAL 1 YEAR AS is_of_month_before,
        spent_on >= $year_start AS is_of_year,
        spent_on BETWEEN $year_start - INTERVAL 1 YEAR AND $today - INTERVAL 1 YEAR AS is_of_year_before
    FROM mart.spend_line
    WHERE is_spend AND spent_on <= $today AND claim_currency_code IS NOT NULL
)

SELECT
    currency,
    if(bool_or(is_of_month), sum(gross) FILTER (WHERE is_of_month), 0) AS month_gross,
    if(bool_or(is_of_month_before), sum(gross) FILTER (WHERE is_of_month_before), 0) AS month_before_gross,
    if(bool_or(is_of_year), sum(gross) FILTER (WHERE is_of_year), 0) AS year_gross,
    if(bool_or(is_of_year_before), sum(gross) FILTER (WHERE is_of_year_before), 0) AS year_before_gross,
    round(100 * (month_gross - month_before_gross) / nullif(month_before_gross, 0), 1) AS month_change_percent,
    round(100 * (year_gross - year_before_gross) / nullif(year_before_gross, 0), 1) AS year_change_percent
FROM line
GROUP BY currency
ORDER BY currency
