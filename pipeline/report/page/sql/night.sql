-- Which night this file shows.
SELECT run_id, data_as_at, program_version
FROM meta.snapshot_info
