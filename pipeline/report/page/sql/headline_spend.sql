-- Spend of this month and this fiscal year so far, against the same days a year before; each line in the currency of its
-- claim or invoice, by the day it was spent. Credit notes, personal, omitted, rejected and cancelled lines do not count.
SELECT
    claim_currency_code AS currency,
    coalesce(sum(claim_gross_amount) FILTER (WHERE spent_on >= $month_start), 0) AS month_gross,
    coalesce(sum(claim_gross_amount) FILTER (
        WHERE spent_on BETWEEN $month_start - INTERVAL 1 YEAR AND $today - INTERVAL 1 YEAR
    ), 0) AS month_before_gross,
    coalesce(sum(claim_gross_amount) FILTER (WHERE spent_on >= $year_start), 0) AS year_gross,
    coalesce(sum(claim_gross_amount) FILTER (
        WHERE spent_on BETWEEN $year_start - INTERVAL 1 YEAR AND $today - INTERVAL 1 YEAR
    ), 0) AS year_before_gross,
    round(100 * (month_gross - month_before_gross) / nullif(month_before_gross, 0), 1) AS month_change_percent,
    round(100 * (year_gross - year_before_gross) / nullif(year_before_gross, 0), 1) AS year_change_percent
FROM mart.spend_line
WHERE is_spend AND spent_on <= $today AND claim_currency_code IS NOT NULL
GROUP BY claim_currency_code
ORDER BY currency
