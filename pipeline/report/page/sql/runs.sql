-- The last fourteen runs in this file: calls planned, where that was known of every list, and made; rows that came, changed
-- or went.
SELECT
    run.run_id,
    run.data_as_at,
    if(count(resource.planned_call_count) = count(*), sum(resource.planned_call_count), NULL)::BIGINT AS planned_call_count,
    sum(resource.call_count)::BIGINT AS call_count,
    sum(resource.new_count)::BIGINT AS new_count,
    sum(resource.changed_count)::BIGINT AS changed_count,
    sum(resource.deleted_count)::BIGINT AS deleted_count
FROM meta.run AS run
JOIN meta.run_resource AS resource USING (run_id)
GROUP BY run.run_id, run.data_as_at
ORDER BY run.data_as_at DESC
LIMIT 14
