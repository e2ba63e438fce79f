-- How long each approver took in the last twelve months: the 50 with the most approvals. Rejected and
-- cancelled documents are left out. Without the last line it gives all.
WITH person AS (
    $people
)

SELECT
    coalesce(person.name, '(none)') AS name,
    count(*) AS approval_count,
    round(median(approval.waited_hours), 1) AS median_hours,
    round(quantile_cont(approval.waited_hours, 0.9), 1) AS p90_hours,
    max(approval.approved_on) AS last_approved_on,
    count(*) OVER () AS name_count
FROM mart.approval AS approval
INNER JOIN mart.document AS document
    ON (document.company_id, document.document_type, document.document_id)
    = (approval.company_id, approval.document_type, approval.document_id)
LEFT JOIN person ON (person.company_id, person.person_id) = (approval.company_id, approval.approver_id)
WHERE approval.approved_on > $today - INTERVAL 12 MONTH AND document.counts_as NOT IN ('rejected', 'cancelled')
GROUP BY approval.company_id, approval.approver_id, person.name
ORDER BY approval_count DESC, name, approval.company_id, approval.approver_id
LIMIT 50
