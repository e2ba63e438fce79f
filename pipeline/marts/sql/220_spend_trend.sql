-- Spend of each month beside the same month a year before, by entity and division; months in which there was spend in
-- one of both, up to the month of the data.
--
-- grain: month_on, company_id, entity_id, division_id, currency_code
-- evidence: inferred
-- money: gross_amount, last_year_gross_amount, change_amount in currency_code
--
-- month_on: first day of the month of the spend
-- is_month_over: whether the month had ended on the day of the data
-- company_id: company
-- company_name: name of the company
-- entity_id: entity
-- entity_name: name of the entity
-- division_id: division (cost centre)
-- division_name: name of the division
-- currency_code: ISO 4217 code of the claim's or invoice's currency
-- gross_amount: spend of the month including tax
-- last_year_gross_amount: spend of the same month a year before
-- change_amount: the first less the second
-- change_percent: that in percent of the second; NULL if there was none
WITH
spend AS (
    SELECT
        month_on, company_id, company_name, entity_id, entity_name, division_id, division_name, currency_code,
        gross_amount, 0 AS last_year_gross_amount
    FROM mart.spend_month
    UNION ALL
    SELECT
        (month_on + INTERVAL 1 YEAR)::DATE AS month_on,
        company_id, company_name, entity_id, entity_name, division_id, division_name, currency_code,
        0 AS gross_amount, gross_amount AS last_year_gross_amount
    FROM mart.spend_month
),
both_years AS (
    SELECT
        month_on, company_id, entity_id, division_id, currency_code,
        max(company_name) AS company_name,
        max(entity_name) AS entity_name,
        max(division_name) AS division_name,
        sum(gross_amount) AS gross_amount,
        sum(last_year_gross_amount) AS last_year_gross_amount
    FROM spend
    WHERE month_on <= getvariable('today')
    GROUP BY month_on, company_id, entity_id, division_id, currency_code
)
SELECT
    month_on,
    last_day(month_on) < getvariable('today') AS is_month_over,
    company_id,
    company_name,
    entity_id,
    entity_name,
    division_id,
    division_name,
    currency_code,
    gross_amount,
    last_year_gross_amount,
    gross_amount - last_year_gross_amount AS change_amount,
    CASE
        WHEN last_year_gross_amount <> 0
        THEN round(100 * (gross_amount - last_year_gross_amount)::DOUBLE / abs(last_year_gross_amount)::DOUBLE, 2)
    END AS change_percent
FROM both_years
