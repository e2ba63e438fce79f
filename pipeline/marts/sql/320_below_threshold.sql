-- Documents that come to just less than an approval threshold: at most the site's threshold_percent under one of its
-- approval_thresholds, in the document's own currency, whichever that is. Credit notes, rejected and cancelled documents,
-- and documents with totals in several currencies are left out.
--
-- grain: company_id, document_type, document_id, threshold_amount
-- evidence: documented
-- money: threshold_amount, gross_amount, short_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- reference: the supplier's invoice number; NULL for claims
-- supplier_id: supplier; NULL for claims
-- supplier_name: name of the supplier
-- claimant_id: user id of the claimant; NULL for invoices
-- claimant_name: name of the claimant
-- status: status as sent
-- created_on: day on which it was created
-- currency_code: ISO 4217 code of its totals
-- gross_amount: total including tax
-- threshold_amount: the threshold it stays under
-- short_amount: by how much
WITH
threshold AS (
    SELECT DISTINCT unnest(getvariable('approval_thresholds'))::DECIMAL(38, 4) AS threshold_amount
)
SELECT
    document.company_id,
    document.company_name,
    document.document_type,
    document.document_id,
    document.reference,
    document.supplier_id,
    document.supplier_name,
    document.claimant_id,
    document.claimant_name,
    document.status,
    document.created_on,
    document.currency_code,
    document.gross_amount,
    threshold.threshold_amount,
    threshold.threshold_amount - document.gross_amount AS short_amount
FROM mart.document AS document
INNER JOIN threshold
    ON document.gross_amount < threshold.threshold_amount
    AND threshold.threshold_amount - document.gross_amount
        <= threshold.threshold_amount * getvariable('threshold_percent') * 0.01
WHERE document.is_spend AND document.currency_code IS NOT NULL
