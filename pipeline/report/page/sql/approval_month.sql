-- How long approvers took, by the month in which they approved: hours from the step before to theirs. Half took no longer
-- than the median, nine in ten no longer than the 90th percentile. Rejected and cancelled documents are left out.
WITH months AS (
    SELECT unnest(generate_series($month_start - INTERVAL 12 MONTH, $month_start, INTERVAL 1 MONTH))::DATE AS month_on
),

approval AS (
    SELECT date_trunc('month', approval.approved_on)::DATE AS month_on, approval.waited_hours
    FROM mart.approval AS approval
    INNER JOIN mart.document AS document
        ON (document.company_id, document.document_type, document.document_id)
        = (approval.company_id, approval.document_type, approval.document_id)
    WHERE document.counts_as NOT IN ('rejected', 'cancelled')
)

SELECT
    months.month_on,
    count(approval.waited_hours) AS approval_count,
    round(median(approval.waited_hours), 1) AS median_hours,
    round(quantile_cont(approval.waited_hours, 0.9), 1) AS p90_hours
FROM months
LEFT JOIN approval ON approval.month_on = months.month_on
GROUP BY months.month_on
ORDER BY months.month_on
