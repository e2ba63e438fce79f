-- How long things took, by the month in which they ended. Measure waited is what one approver took, counted from the
-- approval before; the others are about whole documents and have no approver. When a document was submitted is not
-- known, so the time until it was is part of the first approver's. The division is the one that all lines of the document
-- are coded to. Rejected and cancelled documents are left out.
--
-- grain: month_on, company_id, document_type, division_id, measure, approver_id
-- evidence: inferred
--
-- month_on: first day of the month in which it ended
-- company_id: company
-- document_type: claim or invoice
-- division_id: the division that all lines of the documents are coded to; NULL if that is not one
-- division_name: name of that division
-- measure: waited, created_to_approved, approved_to_finalised or created_to_finalised
-- approver_id: user id of the approver, for measure waited; else NULL
-- approver_name: name of the approver, as sent last in the alphabet where it changed
-- measured_count: how many approvals or documents
-- median_hours: half of them took no longer, in hours
-- p90_hours: nine in ten of them took no longer, in hours
-- longest_hours: the longest, in hours
WITH
document AS (
    SELECT
        company_id, document_type, document_id, division_id, division_name,
        created_at, approved_at, finalised_at, approved_on, finalised_on
    FROM mart.document
    WHERE counts_as NOT IN ('rejected', 'cancelled')
),
measured AS (
    SELECT
        approval.approved_on AS ended_on, document.company_id, document.document_type,
        document.division_id, document.division_name,
        'waited' AS measure, approval.approver_id, approval.approver_name,
        epoch_us(approval.approved_at) - epoch_us(approval.previous_at) AS taken_us
    FROM mart.approval AS approval
    INNER JOIN document
        ON document.company_id = approval.company_id
        AND document.document_type = approval.document_type
        AND document.document_id = approval.document_id
    UNION ALL
    SELECT
        approved_on, company_id, document_type, division_id, division_name,
        'created_to_approved' AS measure, NULL AS approver_id, NULL AS approver_name,
        epoch_us(approved_at) - epoch_us(created_at) AS taken_us
    FROM document
    UNION ALL
    SELECT
        finalised_on, company_id, document_type, division_id, division_name,
        'approved_to_finalised' AS measure, NULL AS approver_id, NULL AS approver_name,
        epoch_us(finalised_at) - epoch_us(approved_at) AS taken_us
    FROM document
    UNION ALL
    SELECT
        finalised_on, company_id, document_type, division_id, division_name,
        'created_to_finalised' AS measure, NULL AS approver_id, NULL AS approver_name,
        epoch_us(finalised_at) - epoch_us(created_at) AS taken_us
    FROM document
)
SELECT
    month_of(ended_on) AS month_on,
    company_id,
    document_type,
    division_id,
    max(division_name) AS division_name,
    measure,
    approver_id,
    max(approver_name) AS approver_name,
    count(*) AS measured_count,
    round(quantile_cont(taken_us, 0.5) / 3600000000, 2) AS median_hours,
    round(quantile_cont(taken_us, 0.9) / 3600000000, 2) AS p90_hours,
    round(max(taken_us) / 3600000000, 2) AS longest_hours
FROM measured
WHERE taken_us >= 0
GROUP BY month_on, company_id, document_type, division_id, measure, approver_id
