-- What the newest run asked of the source: calls expected before it and calls made, what was read, and what that changed.
SELECT
    resource,
    mode,
    planned_call_count,
    call_count,
    record_count,
    new_count,
    changed_count,
    deleted_count,
    quarantined_count,
    row_count
FROM meta.run_resource
WHERE run_id = $run
ORDER BY call_count DESC, resource
