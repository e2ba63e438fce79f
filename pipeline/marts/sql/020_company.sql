-- One row a company of the site; every document belongs to one.
--
-- grain: company_id
-- evidence: documented
--
-- company_id: key of the company
-- company_name: name of the company
-- company_code: code of the company
-- gl_code: general-ledger code of the company
-- gst_rate: the company's usual GST rate in percent
SELECT
    company_id,
    nullif(name, '') AS company_name,
    nullif(code, '') AS company_code,
    nullif(gl_code, '') AS gl_code,
    gst_rate
FROM live_company
