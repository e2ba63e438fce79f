-- Spend of the last thirteen months, each beside the same month of the year before; the newest month is still running.
WITH month AS (
    SELECT currency, unnest(generate_series($month_start - INTERVAL 12 MONTH, $month_start, INTERVAL 1 MONTH))::DATE AS month_on
    FROM (SELECT DISTINCT currency_code AS currency FROM mart.spend_month)
),

spend AS (
    SELECT currency_code AS currency, month_on, sum(gross_amount) AS gross
    FROM mart.spend_month
    GROUP BY currency_code, month_on
)

SELECT
    month.currency,
    month.month_on,
    coalesce(now.gross, 0) AS gross,
    coalesce(before.gross, 0) AS before_gross,
    round(100 * (coalesce(now.gross, 0) - before.gross) / nullif(before.gross, 0), 1) AS change_percent
FROM month
LEFT JOIN spend AS now ON now.currency = month.currency AND now.month_on = month.month_on
LEFT JOIN spend AS before
    ON before.currency = month.currency AND before.month_on = month.month_on - INTERVAL 12 MONTH
ORDER BY month.currency, month.month_on
