-- The 50 lines whose tax departs most from the rate of their tax code, in each currency. The rate only serves to compare.
-- Without the line that begins with QUALIFY it gives all.
SELECT
    currency_code AS currency,
    document_type,
    document_id,
    spent_on,
    tax_code_name AS name,
    tax_rate,
    net_amount AS net,
    tax_amount AS tax,
    expected_tax_amount AS expected_tax,
    departure_amount AS departure,
    count(*) OVER (PARTITION BY currency_code) AS row_count
FROM mart.gst_departure
QUALIFY row_number() OVER (PARTITION BY currency_code ORDER BY abs(departure_amount) DESC, company_id, document_type, document_id, line_id, split_id) <= 50
ORDER BY currency, abs(departure_amount) DESC, company_id, document_type, document_id, line_id, split_id
