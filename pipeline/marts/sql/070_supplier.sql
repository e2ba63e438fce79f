-- One row a supplier of invoices.
--
-- grain: company_id, supplier_id
-- evidence: documented
--
-- company_id: company of the supplier
-- supplier_id: key of the supplier
-- supplier_name: name shown for the supplier, else its registered name
-- supplier_code: vendor code in the accounting system
-- legal_name: registered name
-- trading_names: names it trades under, in the order sent
-- registration_number: ABN in Australia, NZBN in New Zealand
-- country: country code as sent
-- default_currency_code: ISO 4217 code of the supplier's usual currency
-- city: city of its address
-- state: state or region of its address
-- post_code: post code of its address
-- is_active: whether it may still be used; NULL if not sent
-- is_validated: whether it was validated; NULL if not sent
-- created_on: day on which the supplier was created
WITH
traded AS (
    SELECT company_id, supplier_id, string_agg(trading_name, ', ' ORDER BY _index) AS trading_names
    FROM live_supplier_trading_name
    WHERE trading_name <> ''
    GROUP BY company_id, supplier_id
)
SELECT
    supplier.company_id,
    supplier.id AS supplier_id,
    coalesce(nullif(supplier.display_name, ''), nullif(supplier.legal_name, '')) AS supplier_name,
    nullif(supplier.supplier_code, '') AS supplier_code,
    nullif(supplier.legal_name, '') AS legal_name,
    traded.trading_names,
    nullif(supplier.registration_number, '') AS registration_number,
    nullif(supplier.country, '') AS country,
    nullif(supplier.currency, '') AS default_currency_code,
    nullif(supplier.primary_address_city, '') AS city,
    nullif(supplier.primary_address_state, '') AS state,
    nullif(supplier.primary_address_post_code, '') AS post_code,
    supplier.is_active,
    supplier.is_validated,
    local_on(supplier.created_date) AS created_on
FROM live_supplier AS supplier
LEFT JOIN traded
    ON traded.company_id = supplier.company_id AND traded.supplier_id = supplier.id
