-- How long approvers took, by the month in which they approved: hours from the step before to theirs. Half took no longer
-- than the median, nine in ten no longer than the 90th percentile.
WITH months AS (
    SELECT unnest(generate_series($month_start - INTERVAL 12 MONTH, $month_start, INTERVAL 1 MONTH))::DATE AS month_on
)

SELECT
    months.month_on,
    count(approval.waited_hours) AS approval_count,
    round(median(approval.waited_hours), 1) AS median_hours,
    round(quantile_cont(approval.waited_hours, 0.9), 1) AS p90_hours
FROM months
LEFT JOIN mart.approval ON date_trunc('month', approval.approved_on) = months.month_on
GROUP BY months.month_on
ORDER BY months.month_on
