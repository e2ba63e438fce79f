-- How fresh each list is: the newest change that the source tells, and when it was last read in full.
SELECT
    resource,
    mode,
    row_count,
    newest_change_at,
    hours_since_change,
    last_full_at,
    hours_since_full,
    quarantined_count
FROM mart.freshness
ORDER BY hours_since_change NULLS LAST, resource
