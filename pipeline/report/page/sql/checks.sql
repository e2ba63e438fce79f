-- What was checked before this night was published.
SELECT name, required, passed, detail, blamed_count
FROM meta.check_result
WHERE run_id = $run
ORDER BY passed, NOT required, position
