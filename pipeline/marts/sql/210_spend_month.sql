-- What was spent, by month of the spend, in the currency of the claim or invoice: the lines of mart.spend_line that
-- count as spend and came with an amount and a currency. Lines without a date have no month.
--
-- grain: month_on, company_id, document_type, entity_id, division_id, supplier_id, claimant_id, status, currency_code
-- evidence: inferred
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- month_on: first day of the month of the spend
-- company_id: company
-- company_name: name of the company
-- document_type: claim or invoice
-- entity_id: entity the lines are coded to
-- entity_name: name of the entity
-- division_id: division (cost centre) the lines are coded to
-- division_name: name of the division
-- supplier_id: supplier; NULL for claims
-- supplier_name: name of the supplier
-- claimant_id: user id of the claimant; NULL for invoices
-- claimant_name: name of the claimant
-- status: status of the documents
-- currency_code: ISO 4217 code of the claim's or invoice's currency
-- line_count: how many reporting lines
-- gross_amount: amount including tax
-- net_amount: amount excluding tax
-- tax_amount: tax as sent
SELECT
    month_on,
    company_id,
    max(company_name) AS company_name,
    document_type,
    entity_id,
    max(entity_name) AS entity_name,
    division_id,
    max(division_name) AS division_name,
    supplier_id,
    max(supplier_name) AS supplier_name,
    claimant_id,
    max(claimant_name) AS claimant_name,
    status,
    claim_currency_code AS currency_code,
    count(*) AS line_count,
    sum(claim_gross_amount) AS gross_amount,
    sum(claim_net_amount) AS net_amount,
    sum(claim_tax_amount) AS tax_amount
FROM mart.spend_line
WHERE is_spend AND claim_gross_amount IS NOT NULL AND claim_currency_code IS NOT NULL
GROUP BY
    month_on, company_id, document_type, entity_id, division_id, supplier_id, claimant_id, status, claim_currency_code
