-- Spend of the last thirteen months, each beside the same month of the year before. The newest month is still running: its
-- spend is that up to today, and a change against a whole month would say nothing.
WITH line AS (
    SELECT claim_currency_code AS currency, date_trunc('month', spent_on)::DATE AS month_on, claim_gross_amount
    FROM mart.spend_line
    WHERE is_spend AND spent_on <= $today AND claim_currency_code IS NOT NULL
),

month AS (
    SELECT currency, unnest(generate_series($month_start - INTERVAL 12 MONTH, $month_start, INTERVAL 1 MONTH))::DATE AS month_on
    FROM (SELECT DISTINCT currency FROM line)
),

spend AS (
    SELECT currency, month_on, sum(claim_gross_amount) AS amount
    FROM line
    GROUP BY currency, month_on
)

SELECT
    month.currency,
    month.month_on,
    if(now.currency IS NULL, 0, now.amount) AS gross,
    if(before.currency IS NULL, 0, before.amount) AS before_gross,
    if(month.month_on < $month_start, round(100 * (gross - before_gross) / nullif(before_gross, 0), 1), NULL) AS change_percent
FROM month
LEFT JOIN spend AS now ON now.currency = month.currency AND now.month_on = month.month_on
LEFT JOIN spend AS before
    ON before.currency = month.currency AND before.month_on = month.month_on - INTERVAL 12 MONTH
ORDER BY month.currency, month.month_on
