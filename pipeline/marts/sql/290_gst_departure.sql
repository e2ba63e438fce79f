-- Lines whose tax as sent departs by more than two cents from what the rate of their tax code would give. To look at, not
-- to correct: supplies can be mixed, and lost receipts lose their GST. Codes for which people type the tax are left out, as
-- are rejected and cancelled documents.
--
-- grain: company_id, document_type, document_id, line_id, split_id
-- evidence: inferred
-- money: gross_amount, net_amount, tax_amount, expected_tax_amount, departure_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- line_id: key of the expense or invoice line
-- split_id: key of the part; NULL for a line that is not split
-- status: status of the document
-- counts_as: spend, credit, personal or omitted
-- spent_on: day of the spend, date of the invoice
-- supplier_name: name of the supplier
-- claimant_name: name of the claimant
-- tax_code_id: tax code
-- tax_code_name: name of the tax code
-- tax_rate: rate of the tax code in percent
-- currency_code: ISO 4217 code of the original currency
-- gross_amount: amount including tax
-- net_amount: amount excluding tax
-- tax_amount: tax as sent
-- expected_tax_amount: net_amount by the rate, for comparison only
-- departure_amount: tax_amount less expected_tax_amount
WITH
compared AS (
    SELECT
        line.company_id, line.company_name, line.document_type, line.document_id, line.line_id, line.split_id,
        line.status, line.counts_as, line.spent_on, line.supplier_name, line.claimant_name,
        line.tax_code_id, line.tax_code_name, tax_code.tax_rate,
        line.currency_code, line.gross_amount, line.net_amount, line.tax_amount,
        -- Wide first: the product of two narrow decimals has no room for large amounts.
        (line.net_amount::DECIMAL(38, 4) * tax_code.tax_rate * 0.01)::DECIMAL(38, 4) AS expected_tax_amount
    FROM mart.spend_line AS line
    INNER JOIN mart.tax_code AS tax_code
        ON tax_code.company_id = line.company_id AND tax_code.tax_code_id = line.tax_code_id
    WHERE line.counts_as NOT IN ('rejected', 'cancelled') AND tax_code.is_user_defined IS DISTINCT FROM true
)
SELECT
    company_id,
    company_name,
    document_type,
    document_id,
    line_id,
    split_id,
    status,
    counts_as,
    spent_on,
    supplier_name,
    claimant_name,
    tax_code_id,
    tax_code_name,
    tax_rate,
    currency_code,
    gross_amount,
    net_amount,
    tax_amount,
    expected_tax_amount,
    tax_amount - expected_tax_amount AS departure_amount
FROM compared
WHERE abs(tax_amount - expected_tax_amount) > 0.02
