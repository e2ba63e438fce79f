-- One row a tax code. Its rate is for comparison only: tax is never computed from it, but taken as sent.
--
-- grain: company_id, tax_code_id
-- evidence: documented
--
-- company_id: company of the tax code
-- tax_code_id: key of the tax code
-- tax_code_name: name of the tax code
-- tax_code: code in the accounting system
-- tax_category: tax category as sent; not what ProSpend shows as Category
-- tax_rate: rate in percent
-- is_user_defined: whether people type the tax by hand; NULL if not sent
-- entity_count: how many entities may use it
-- is_active: whether it may still be used; NULL if not sent
WITH
used AS (
    SELECT company_id, tax_code_id, count(DISTINCT entity_id) AS entity_count
    FROM live_tax_code_entity
    WHERE entity_id <> ''
    GROUP BY company_id, tax_code_id
)
SELECT
    tax_code.company_id,
    tax_code.id AS tax_code_id,
    nullif(tax_code.name, '') AS tax_code_name,
    nullif(tax_code.code, '') AS tax_code,
    nullif(tax_code.category, '') AS tax_category,
    tax_code.tax_rate,
    tax_code.is_user_defined,
    coalesce(used.entity_count, 0) AS entity_count,
    lower(tax_code.status) = 'active' AS is_active
FROM live_tax_code AS tax_code
LEFT JOIN used
    ON used.company_id = tax_code.company_id AND used.tax_code_id = tax_code.id
