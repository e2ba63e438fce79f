-- One row an approver of a document, in the order sent. What an approver waited runs from the approval before theirs,
-- whoever gave it, or from the document's creation: when a document was submitted is not known.
--
-- grain: company_id, document_type, document_id, step
-- evidence: documented
--
-- company_id: company of the document
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- step: place among the document's approvers as sent, from 1
-- step_count: how many approvers the document has
-- is_last: whether it is the last place
-- status: status of the document as sent
-- approver_id: user id of the approver
-- approver_name: name of the approver as sent
-- previous_at: the approval before, or creation of the document, UTC
-- approved_at: when this approver approved, UTC; NULL if they did not yet
-- approved_on: day of approved_at
-- waited_hours: hours from previous_at to approved_at; NULL without either, or if they stand in the wrong order
WITH
step AS (
    SELECT
        company_id, 'claim' AS document_type, claim_id AS document_id, _index, id, name,
        told_at(approved_date) AS approved_at
    FROM live_claim_approver
    UNION ALL
    SELECT
        company_id, 'invoice' AS document_type, invoice_id AS document_id, _index, id, name,
        told_at(approved_date) AS approved_at
    FROM live_invoice_approver
),
ordered AS (
    SELECT
        company_id, document_type, document_id, id, name, approved_at,
        row_number() OVER as_sent AS step,
        count(*) OVER (PARTITION BY company_id, document_type, document_id) AS step_count,
        lag(approved_at) OVER (
            PARTITION BY company_id, document_type, document_id ORDER BY approved_at NULLS LAST, _index
        ) AS approval_before
    FROM step
    WINDOW as_sent AS (PARTITION BY company_id, document_type, document_id ORDER BY _index)
),
timed AS (
    SELECT
        step.*,
        document.status,
        coalesce(step.approval_before, document.created_at) AS previous_at
    FROM ordered AS step
    LEFT JOIN mart.document AS document
        ON document.company_id = step.company_id
        AND document.document_type = step.document_type
        AND document.document_id = step.document_id
)
SELECT
    company_id,
    document_type,
    document_id,
    step,
    step_count,
    step = step_count AS is_last,
    status,
    nullif(id, '') AS approver_id,
    nullif(name, '') AS approver_name,
    previous_at,
    approved_at,
    local_on(approved_at) AS approved_on,
    CASE
        WHEN approved_at >= previous_at
        THEN ((epoch_us(approved_at) - epoch_us(previous_at)) / 3600000000)::DECIMAL(18, 2)
    END AS waited_hours
FROM timed
