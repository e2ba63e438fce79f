-- Month-end accruals: spend that was incurred or approved by the end of a month and not finalised by then, as it is known
-- today. The last 36 months that are over on the day of the data. A line is approved once its document was, by the day of
-- that; before, and where that day is missing, it is incurred. Only what counts as spend: credit notes, rejected, cancelled,
-- personal and omitted lines are left out, as are finalised documents that do not say when they were.
--
-- grain: month_end_on, company_id, entity_id, division_id, document_type, state, currency_code
-- evidence: inferred
-- money: gross_amount, net_amount, tax_amount in currency_code
--
-- month_end_on: last day of the month
-- company_id: company
-- company_name: name of the company
-- entity_id: entity the lines are coded to
-- entity_name: name of the entity
-- division_id: division (cost centre) the lines are coded to
-- division_name: name of the division
-- document_type: claim or invoice
-- state: approved: approved by that day; incurred: not yet approved
-- currency_code: ISO 4217 code of the claim's or invoice's currency
-- line_count: how many reporting lines
-- gross_amount: amount including tax
-- net_amount: amount excluding tax, as budgets and accruals usually take it
-- tax_amount: tax as sent
WITH
-- Days count by their month only, so lines are added up by months before they are spread over the month ends.
added AS (
    SELECT
        month_on AS spent_month_on,
        month_of(approved_on) AS approved_month_on,
        month_of(finalised_on) AS finalised_month_on,
        company_id, entity_id, division_id, document_type,
        claim_currency_code AS currency_code,
        max(company_name) AS company_name,
        max(entity_name) AS entity_name,
        max(division_name) AS division_name,
        count(*) AS line_count,
        sum(claim_gross_amount) AS gross_amount,
        sum(claim_net_amount) AS net_amount,
        sum(claim_tax_amount) AS tax_amount
    FROM mart.spend_line
    WHERE
        is_spend
        AND month_on IS NOT NULL
        AND claim_gross_amount IS NOT NULL
        AND claim_currency_code IS NOT NULL
        AND NOT (lower(status) IS NOT DISTINCT FROM 'finalised' AND finalised_on IS NULL)
    GROUP BY
        spent_month_on, approved_month_on, finalised_month_on, company_id, entity_id, division_id, document_type,
        claim_currency_code
),
month_end AS (
    SELECT DISTINCT month_on
    FROM mart.calendar
    WHERE
        last_day(month_on) < getvariable('today')
        AND month_on >= month_of((getvariable('today') - INTERVAL 36 MONTH)::DATE)
)
SELECT
    last_day(month_end.month_on) AS month_end_on,
    added.company_id,
    max(added.company_name) AS company_name,
    added.entity_id,
    max(added.entity_name) AS entity_name,
    added.division_id,
    max(added.division_name) AS division_name,
    added.document_type,
    CASE WHEN added.approved_month_on <= month_end.month_on THEN 'approved' ELSE 'incurred' END AS state,
    added.currency_code,
    sum(added.line_count)::BIGINT AS line_count,
    sum(added.gross_amount) AS gross_amount,
    sum(added.net_amount) AS net_amount,
    sum(added.tax_amount) AS tax_amount
FROM added
INNER JOIN month_end
    ON month_end.month_on >= added.spent_month_on
    AND (added.finalised_month_on IS NULL OR month_end.month_on < added.finalised_month_on)
GROUP BY
    month_end_on, added.company_id, added.entity_id, added.division_id, added.document_type, state, added.currency_code
