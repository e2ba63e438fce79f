-- One row an entity: the legal entity or accounting system that divisions hang under, called Category in ProSpend.
--
-- grain: company_id, entity_id
-- evidence: documented
--
-- company_id: company of the entity
-- entity_id: key of the entity
-- entity_name: name of the entity
-- entity_code: code of the entity
-- is_active: whether it may still be used; NULL if not sent
SELECT
    company_id,
    id AS entity_id,
    nullif(name, '') AS entity_name,
    nullif(code, '') AS entity_code,
    lower(status) = 'active' AS is_active
FROM live_entity
