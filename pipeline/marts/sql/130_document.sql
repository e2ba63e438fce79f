-- One row a claim or invoice, whatever its status, with the dates of its life. The source does not say when it was
-- submitted or paid. An invoice is a credit note if one of its totals is negative and none is positive; a claim never is.
--
-- grain: company_id, document_type, document_id
-- evidence: documented
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- company_id: company of the document
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- reference: the supplier's invoice number; NULL for claims
-- summary: what people wrote about the document
-- supplier_id: supplier of the invoice
-- supplier_name: name of the supplier; the name on the invoice if the supplier is gone
-- supplier_code: vendor code in the accounting system
-- claimant_id: user id of the claimant
-- claimant_name: name of the claimant, on their newest claim
-- claim_type: kind of claim, such as Master Card; NULL for invoices
-- status: status as sent, without spaces around it
-- counts_as: spend, credit, rejected or cancelled
-- is_open: whether it may still be finalised: it is not finalised, rejected or cancelled
-- is_spend: whether counts_as is spend
-- is_credit: whether it is a credit note
-- created_at: when it was created, UTC
-- approved_at: when it was approved, UTC
-- finalised_at: when it was finalised, UTC; can move or disappear
-- updated_at: when it was last changed, UTC
-- created_on: day of created_at
-- approved_on: day of approved_at
-- finalised_on: day of finalised_at
-- updated_on: day of updated_at
-- from_on: first day of the claim's period; NULL for invoices
-- to_on: last day of the claim's period; NULL for invoices
-- invoice_on: date of the invoice; NULL for claims
-- due_on: day on which payment is due; NULL for claims
-- line_count: reporting lines in mart.spend_line
-- entity_id: the entity that all of its lines are coded to; NULL if that is not one
-- entity_name: name of that entity; NULL if it is gone
-- division_id: the division that all of its lines are coded to; NULL if that is not one
-- division_name: name of that division; NULL if it is gone
-- currency_count: in how many currencies its totals stand; for claims the totals in the claim's currency
-- currency_code: ISO 4217 code, if its totals stand in one currency; for claims the claim's
-- gross_amount: total including tax, if it stands in one currency; else see mart.document_total
-- net_amount: total excluding tax, likewise
-- tax_amount: tax as sent, likewise
WITH
document AS (
    SELECT
        company_id, 'claim' AS document_type, id AS document_id, NULL AS reference, summary,
        NULL AS supplier_id, NULL AS name_on_invoice, NULL AS code_on_invoice,
        claimant_id, claim_type, trim(status) AS status, created_date, approved_date, finalised_date, updated_date,
        local_on(from_date) AS from_on, local_on(to_date) AS to_on, NULL::DATE AS invoice_on, NULL::DATE AS due_on,
        'claim' AS basis
    FROM live_claim
    UNION ALL
    SELECT
        company_id, 'invoice' AS document_type, id AS document_id, reference, summary,
        supplier_id, supplier_name, supplier_code,
        NULL AS claimant_id, NULL AS claim_type, trim(status) AS status, created_date, approved_date, finalised_date, updated_date,
        NULL::DATE AS from_on, NULL::DATE AS to_on, local_on(invoice_date) AS invoice_on, local_on(due_date) AS due_on,
        'transaction' AS basis
    FROM live_invoice
),
sign AS (
    SELECT
        company_id, document_type, document_id,
        bool_or(gross_amount < 0) AND NOT bool_or(gross_amount > 0) AS is_credit
    FROM mart.document_total
    WHERE document_type = 'invoice'
    GROUP BY company_id, document_type, document_id
),
currency AS (
    SELECT company_id, document_type, document_id, basis, count(*) AS currency_count
    FROM mart.document_total
    GROUP BY company_id, document_type, document_id, basis
),
coding AS (
    SELECT
        company_id, document_type, document_id, count(*) AS line_count,
        CASE WHEN count(entity_id) = count(*) AND min(entity_id) = max(entity_id) THEN min(entity_id) END AS entity_id,
        CASE WHEN count(division_id) = count(*) AND min(division_id) = max(division_id) THEN min(division_id) END
            AS division_id
    FROM mart.spend_line
    GROUP BY company_id, document_type, document_id
),
placed AS (
    SELECT
        document.*,
        coalesce(sign.is_credit, false) AS is_credit,
        CASE
            WHEN lower(document.status) = 'rejected' THEN 'rejected'
            WHEN lower(document.status) IN ('cancelled', 'canceled') THEN 'cancelled'
            WHEN sign.is_credit THEN 'credit'
            ELSE 'spend'
        END AS counts_as
    FROM document
    LEFT JOIN sign
        ON sign.company_id = document.company_id
        AND sign.document_type = document.document_type
        AND sign.document_id = document.document_id
)
SELECT
    document.company_id,
    company.company_name,
    document.document_type,
    document.document_id,
    nullif(document.reference, '') AS reference,
    nullif(document.summary, '') AS summary,
    nullif(document.supplier_id, '') AS supplier_id,
    coalesce(supplier.supplier_name, nullif(document.name_on_invoice, '')) AS supplier_name,
    coalesce(supplier.supplier_code, nullif(document.code_on_invoice, '')) AS supplier_code,
    nullif(document.claimant_id, '') AS claimant_id,
    claimant.claimant_name,
    nullif(document.claim_type, '') AS claim_type,
    document.status,
    document.counts_as,
    lower(document.status) IS DISTINCT FROM 'finalised' AND document.counts_as NOT IN ('rejected', 'cancelled') AS is_open,
    document.counts_as = 'spend' AS is_spend,
    document.is_credit,
    told_at(document.created_date) AS created_at,
    told_at(document.approved_date) AS approved_at,
    told_at(document.finalised_date) AS finalised_at,
    told_at(document.updated_date) AS updated_at,
    local_on(document.created_date) AS created_on,
    local_on(document.approved_date) AS approved_on,
    local_on(document.finalised_date) AS finalised_on,
    local_on(document.updated_date) AS updated_on,
    document.from_on,
    document.to_on,
    document.invoice_on,
    document.due_on,
    coalesce(coding.line_count, 0) AS line_count,
    coding.entity_id,
    entity.entity_name,
    coding.division_id,
    division.division_name,
    coalesce(currency.currency_count, 0) AS currency_count,
    total.currency_code,
    total.gross_amount,
    total.net_amount,
    total.tax_amount
FROM placed AS document
LEFT JOIN coding
    ON coding.company_id = document.company_id
    AND coding.document_type = document.document_type
    AND coding.document_id = document.document_id
LEFT JOIN currency
    ON currency.company_id = document.company_id
    AND currency.document_type = document.document_type
    AND currency.document_id = document.document_id
    AND currency.basis = document.basis
LEFT JOIN mart.document_total AS total
    ON total.company_id = document.company_id
    AND total.document_type = document.document_type
    AND total.document_id = document.document_id
    AND total.basis = document.basis
    AND currency.currency_count = 1
LEFT JOIN mart.company AS company ON company.company_id = document.company_id
LEFT JOIN mart.supplier AS supplier
    ON supplier.company_id = document.company_id AND supplier.supplier_id = document.supplier_id
LEFT JOIN mart.claimant AS claimant
    ON claimant.company_id = document.company_id AND claimant.claimant_id = document.claimant_id
LEFT JOIN mart.entity AS entity
    ON entity.company_id = document.company_id AND entity.entity_id = coding.entity_id
LEFT JOIN mart.division AS division
    ON division.company_id = document.company_id AND division.division_id = coding.division_id
