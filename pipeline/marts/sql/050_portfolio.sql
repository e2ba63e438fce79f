-- One row a portfolio: a group of projects.
--
-- grain: company_id, portfolio_id
-- evidence: inferred
--
-- company_id: company of the portfolio
-- portfolio_id: key of the portfolio
-- portfolio_name: name of the portfolio
-- portfolio_code: code of the portfolio
-- entity_id: entity the portfolio belongs to
-- entity_name: name of that entity; NULL if it is gone
-- is_active: whether it may still be used; NULL if not sent
SELECT
    portfolio.company_id,
    portfolio.id AS portfolio_id,
    nullif(portfolio.name, '') AS portfolio_name,
    nullif(portfolio.portfolio_code, '') AS portfolio_code,
    nullif(portfolio.entity_id, '') AS entity_id,
    entity.entity_name,
    lower(portfolio.status) = 'active' AS is_active
FROM live_portfolio AS portfolio
LEFT JOIN mart.entity AS entity
    ON entity.company_id = portfolio.company_id AND entity.entity_id = portfolio.entity_id
