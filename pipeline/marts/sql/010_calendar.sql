-- One row is a day, from the first day of the fiscal year of the oldest document to the last day of the fiscal year that
-- follows the one of the data. Fiscal years begin in the site's month and are named by the year in which they end.
--
-- grain: date_on
-- evidence: documented
--
-- date_on: the day
-- month_on: first day of its month
-- year: calendar year
-- month: month of the calendar year, 1 to 12
-- month_name: month and year for people, such as Jul 2026
-- fiscal_year: fiscal year, by the year in which it ends
-- fiscal_quarter: quarter of the fiscal year, 1 to 4
-- fiscal_month: month of the fiscal year, 1 to 12
-- fiscal_year_start_on: first day of its fiscal year
-- fbt_year: year of Australian Fringe Benefits Tax, 1 April to 31 March, by the year in which it ends
-- bas_quarter: quarter of an Australian business activity statement, such as 2026-Q3 for July to September 2026
-- bas_quarter_start_on: first day of that quarter
-- iso_week: week of the ISO 8601 year, such as 2026-W31
-- weekday: day of the week, 1 for Monday to 7 for Sunday
-- weekday_name: day of the week for people, such as Monday
-- is_weekend: whether it is a Saturday or a Sunday
-- is_month_end: whether it is the last day of its month
WITH bounds AS (
    SELECT
        date_trunc('month', first_on - to_months((month(first_on) - getvariable('fiscal_month') + 12) % 12))::DATE
            AS first_on,
        (date_trunc('month', today - to_months((month(today) - getvariable('fiscal_month') + 12) % 12))
            + INTERVAL 24 MONTH - INTERVAL 1 DAY)::DATE AS last_on
    FROM (
        SELECT
            getvariable('today') AS today,
            least(getvariable('today'), min(day_on)) AS first_on
        FROM (
            SELECT local_on(created_date) AS day_on FROM live_claim
            UNION ALL
            SELECT local_on(transaction_date) FROM live_expense
            UNION ALL
            SELECT local_on(created_date) FROM live_invoice
            UNION ALL
            SELECT local_on(invoice_date) FROM live_invoice
        )
        WHERE day_on >= DATE '2000-01-01'
    )
),

days AS (
    SELECT unnest(generate_series(first_on, last_on, INTERVAL 1 DAY))::DATE AS date_on
    FROM bounds
),

placed AS (
    SELECT
        date_on,
        date_trunc('month', date_on)::DATE AS month_on,
        (month(date_on) - getvariable('fiscal_month') + 12) % 12 + 1 AS fiscal_month
    FROM days
)

SELECT
    date_on,
    month_on,
    year(date_on)::INTEGER AS year,
    month(date_on)::INTEGER AS month,
    strftime(date_on, '%b %Y') AS month_name,
    year(month_on + to_months((12 - fiscal_month)::INTEGER))::INTEGER AS fiscal_year,
    ((fiscal_month + 2) // 3)::INTEGER AS fiscal_quarter,
    fiscal_month::INTEGER AS fiscal_month,
    (month_on - to_months((fiscal_month - 1)::INTEGER))::DATE AS fiscal_year_start_on,
    (year(date_on) + (month(date_on) >= 4)::INTEGER)::INTEGER AS fbt_year,
    year(date_on) || '-Q' || quarter(date_on) AS bas_quarter,
    date_trunc('quarter', date_on)::DATE AS bas_quarter_start_on,
    strftime(date_on, '%G-W%V') AS iso_week,
    isodow(date_on)::INTEGER AS weekday,
    strftime(date_on, '%A') AS weekday_name,
    isodow(date_on) >= 6 AS is_weekend,
    date_on = last_day(date_on) AS is_month_end
FROM placed
ORDER BY date_on
