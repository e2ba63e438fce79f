-- One row a project, with its portfolio where it belongs to exactly one.
--
-- grain: company_id, project_id
-- evidence: documented
--
-- company_id: company of the project
-- project_id: key of the project
-- project_name: name of the project
-- project_code: code of the project
-- cost_code: cost code
-- external_reference: reference in another system
-- portfolio_count: how many portfolios the project belongs to
-- portfolio_id: the portfolio, if it is one; else NULL
-- portfolio_name: name of that portfolio; NULL if it is gone
-- is_active: whether it may still be used; NULL if not sent
-- created_on: day on which the project was created
WITH
membership AS (
    SELECT company_id, project_id, count(DISTINCT portfolio_id) AS portfolio_count, min(portfolio_id) AS portfolio_id
    FROM live_project_portfolio
    WHERE portfolio_id <> ''
    GROUP BY company_id, project_id
)
SELECT
    project.company_id,
    project.id AS project_id,
    nullif(project.name, '') AS project_name,
    nullif(project.project_code, '') AS project_code,
    nullif(project.cost_code, '') AS cost_code,
    nullif(project.external_reference, '') AS external_reference,
    coalesce(membership.portfolio_count, 0) AS portfolio_count,
    CASE WHEN membership.portfolio_count = 1 THEN membership.portfolio_id END AS portfolio_id,
    portfolio.portfolio_name,
    project.active AS is_active,
    local_on(project.created_date) AS created_on
FROM live_project AS project
LEFT JOIN membership
    ON membership.company_id = project.company_id AND membership.project_id = project.id
LEFT JOIN mart.portfolio AS portfolio
    ON portfolio.company_id = project.company_id
    AND portfolio.portfolio_id = membership.portfolio_id
    AND membership.portfolio_count = 1
