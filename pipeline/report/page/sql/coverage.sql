-- How many reporting lines say what: the source documents hardly any field of a line, so each may be missing.
SELECT
    count(*) AS line_count,
    count(claim_gross_amount) AS with_amount,
    count(claim_currency_code) AS with_currency,
    count(spent_on) AS with_day,
    count(division_id) AS with_division,
    count(supplier_id) AS with_supplier,
    count(expense_type) AS with_expense_type,
    count(tax_code_id) AS with_tax_code
FROM mart.spend_line
