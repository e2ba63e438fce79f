-- One row a document, kind of total and currency: what claims and invoices say they come to, whatever their status.
-- A claim states its total twice: converted to its own currency (basis claim) and in the currencies that the money was
-- spent in (basis transaction). An invoice states the second only. Never add both.
--
-- grain: company_id, document_type, document_id, basis, currency_code
-- evidence: documented
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- company_id: company of the document
-- document_type: claim or invoice
-- document_id: key of the document
-- basis: claim: converted to the claim's currency; transaction: in the original currency
-- currency_code: ISO 4217 currency code, in capitals
-- gross_amount: amount including tax
-- net_amount: amount excluding tax
-- tax_amount: tax as sent
WITH
total AS (
    SELECT
        company_id, 'claim' AS document_type, claim_id AS document_id, 'claim' AS basis,
        gross_amount, net_amount, tax_amount, nullif(upper(trim(currency_code)), '') AS currency_code
    FROM live_claim_currency_total
    UNION ALL
    SELECT
        company_id, 'claim' AS document_type, claim_id AS document_id, 'transaction' AS basis,
        gross_amount, net_amount, tax_amount, nullif(upper(trim(currency_code)), '') AS currency_code
    FROM live_claim_transaction_total
    UNION ALL
    SELECT
        company_id, 'invoice' AS document_type, invoice_id AS document_id, 'transaction' AS basis,
        gross_amount, net_amount, tax_amount, nullif(upper(trim(currency_code)), '') AS currency_code
    FROM live_invoice_transaction_total
)
SELECT
    company_id,
    document_type,
    document_id,
    basis,
    currency_code,
    sum(gross_amount) AS gross_amount,
    sum(net_amount) AS net_amount,
    sum(tax_amount) AS tax_amount
FROM total
GROUP BY company_id, document_type, document_id, basis, currency_code
