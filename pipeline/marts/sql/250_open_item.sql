-- One row a claim or invoice that is still open, with its age and, where it waits for an approval, for whose.
--
-- grain: company_id, document_type, document_id
-- evidence: documented
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- reference: the supplier's invoice number; NULL for claims
-- summary: what people wrote about the document
-- supplier_id: supplier; NULL for claims
-- supplier_name: name of the supplier
-- claimant_id: user id of the claimant; NULL for invoices
-- claimant_name: name of the claimant
-- claim_type: kind of claim; NULL for invoices
-- division_id: the division that all of its lines are coded to
-- division_name: name of that division
-- status: status as sent
-- is_credit: whether it is a credit note
-- created_on: day on which it was created
-- updated_on: day on which it was last changed
-- due_on: day on which payment is due; NULL for claims
-- age_days: days from created_on to the day of the data
-- idle_days: days from updated_on to the day of the data
-- age_bucket: 0-7 days, 8-30 days, 31-60 days, 61-90 days, over 90 days, or unknown
-- bucket_order: place of the bucket in that order, from 1
-- waits_for_id: user id of the first approver who has not approved, where the status is PendingApproval
-- waits_for_name: name of that approver
-- currency_code: ISO 4217 code, if its totals stand in one currency
-- gross_amount: total including tax, if it stands in one currency; else see mart.document_total
-- net_amount: total excluding tax, likewise
-- tax_amount: tax as sent, likewise
WITH
next_step AS (
    SELECT company_id, document_type, document_id, min(step) AS step
    FROM mart.approval
    WHERE approved_at IS NULL AND lower(status) = 'pendingapproval'
    GROUP BY company_id, document_type, document_id
),
waiting AS (
    SELECT approval.company_id, approval.document_type, approval.document_id, approval.approver_id, approval.approver_name
    FROM next_step
    INNER JOIN mart.approval AS approval
        ON approval.company_id = next_step.company_id
        AND approval.document_type = next_step.document_type
        AND approval.document_id = next_step.document_id
        AND approval.step = next_step.step
),
open_document AS (
    SELECT
        document.*,
        getvariable('today') - created_on AS age_days,
        getvariable('today') - updated_on AS idle_days,
        CASE
            WHEN created_on IS NULL THEN 'unknown'
            WHEN getvariable('today') - created_on <= 7 THEN '0-7 days'
            WHEN getvariable('today') - created_on <= 30 THEN '8-30 days'
            WHEN getvariable('today') - created_on <= 60 THEN '31-60 days'
            WHEN getvariable('today') - created_on <= 90 THEN '61-90 days'
            ELSE 'over 90 days'
        END AS age_bucket
    FROM mart.document AS document
    WHERE is_open
)
SELECT
    document.company_id,
    document.company_name,
    document.document_type,
    document.document_id,
    document.reference,
    document.summary,
    document.supplier_id,
    document.supplier_name,
    document.claimant_id,
    document.claimant_name,
    document.claim_type,
    document.division_id,
    document.division_name,
    document.status,
    document.is_credit,
    document.created_on,
    document.updated_on,
    document.due_on,
    document.age_days,
    document.idle_days,
    document.age_bucket,
    list_position(
        ['0-7 days', '8-30 days', '31-60 days', '61-90 days', 'over 90 days', 'unknown'], document.age_bucket
    )::INTEGER AS bucket_order,
    waiting.approver_id AS waits_for_id,
    waiting.approver_name AS waits_for_name,
    document.currency_code,
    document.gross_amount,
    document.net_amount,
    document.tax_amount
FROM open_document AS document
LEFT JOIN waiting
    ON waiting.company_id = document.company_id
    AND waiting.document_type = document.document_type
    AND waiting.document_id = document.document_id
