-- One row a division, which is a cost centre, with the entity it belongs to.
--
-- grain: company_id, division_id
-- evidence: documented
--
-- company_id: company of the division
-- division_id: key of the division
-- division_name: name of the division
-- division_code: cost-centre code in the accounting system
-- entity_id: entity the division belongs to
-- entity_name: name of that entity; NULL if it is gone
-- is_active: whether it may still be used; NULL if not sent
SELECT
    division.company_id,
    division.id AS division_id,
    nullif(division.name, '') AS division_name,
    nullif(division.gl_code, '') AS division_code,
    nullif(division.entity_id, '') AS entity_id,
    entity.entity_name,
    lower(division.status) = 'active' AS is_active
FROM live_division AS division
LEFT JOIN mart.entity AS entity
    ON entity.company_id = division.company_id AND entity.entity_id = division.entity_id
