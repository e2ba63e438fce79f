-- How fresh and complete the data are, one row a resource: when the source last changed something, when it was last read
-- and how, and what did not fit. Verdicts of the checks stand in meta.check_result.
--
-- grain: resource
-- evidence: documented
--
-- resource: resource, and name of its table
-- as_at: the data were read from this instant on, UTC
-- mode: how the newest run read it: full: every record; incremental: only what changed; kept: nothing
-- last_read_at: when the newest run that read it began to, UTC
-- last_full_at: when the newest run that read every record of it began to, UTC
-- hours_since_full: hours from last_full_at to as_at
-- newest_change_at: newest change time among its rows, UTC; NULL where the source tells none
-- hours_since_change: hours from newest_change_at to as_at
-- row_count: rows that are not deleted
-- new_count: rows that came with the newest run
-- changed_count: rows that the newest run changed
-- deleted_count: rows that the newest run proved gone
-- quarantined_count: records of any run that did not fit, stand in no row, and are not gone at the source
WITH
newest AS (
    SELECT run_id, data_as_at AS as_at
    FROM meta.snapshot_info
),
reading AS (
    SELECT
        resource.resource,
        max(run.data_as_at) FILTER (WHERE resource.mode <> 'kept') AS last_read_at,
        max(run.data_as_at) FILTER (WHERE resource.mode = 'full') AS last_full_at
    FROM meta.run_resource AS resource
    INNER JOIN meta.run AS run ON run.run_id = resource.run_id
    GROUP BY resource.resource
),
change AS (
    SELECT 'supplier' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_supplier
    UNION ALL
    SELECT 'project' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_project
    UNION ALL
    SELECT 'portfolio' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_portfolio
    UNION ALL
    SELECT 'claim' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_claim
    UNION ALL
    SELECT 'expense' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_expense
    UNION ALL
    SELECT 'expense_split' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_expense_split
    UNION ALL
    SELECT 'invoice' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_invoice
    UNION ALL
    SELECT 'invoice_line' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_invoice_line
    UNION ALL
    SELECT 'invoice_split' AS resource, max(told_at(updated_date)) AS newest_change_at FROM live_invoice_split
),
quarantined AS (
    SELECT resource, count(*) AS quarantined_count
    FROM meta.quarantine
    WHERE deleted_at IS NULL
    GROUP BY resource
)
SELECT
    read.resource,
    newest.as_at,
    read.mode,
    reading.last_read_at,
    reading.last_full_at,
    round((epoch_us(newest.as_at) - epoch_us(reading.last_full_at)) / 3600000000, 2) AS hours_since_full,
    change.newest_change_at,
    round((epoch_us(newest.as_at) - epoch_us(change.newest_change_at)) / 3600000000, 2) AS hours_since_change,
    read.row_count,
    read.new_count,
    read.changed_count,
    read.deleted_count,
    coalesce(quarantined.quarantined_count, 0) AS quarantined_count
FROM newest
INNER JOIN meta.run_resource AS read ON read.run_id = newest.run_id
LEFT JOIN reading ON reading.resource = read.resource
LEFT JOIN change ON change.resource = read.resource
LEFT JOIN quarantined ON quarantined.resource = read.resource
