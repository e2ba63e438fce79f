-- Entertainment for Fringe Benefits Tax: the reporting lines of claims and invoices whose expense type is one of the site's
-- entertainment_types and that count as spend, by both methods. 50/50 takes half of the total spend; actual takes the share
-- of recipients that are employees, and is NULL where no recipients came: so always for invoices. A part of a split expense
-- has the recipients of its expense. Amounts include tax and are in the currency of the claim or invoice.
--
-- grain: company_id, document_type, document_id, line_id, split_id
-- evidence: inferred
-- money: gross_amount, fifty_fifty_amount, actual_amount in currency_code
--
-- company_id: company
-- company_name: name of the company
-- document_type: claim or invoice
-- document_id: key of the claim or invoice
-- line_id: key of the expense or invoice line
-- split_id: key of the part; NULL for a line that is not split
-- fbt_year: FBT year of the spend, 1 April to 31 March, by the year in which it ends
-- spent_on: day of the spend, date of the invoice
-- status: status of the claim or invoice
-- entity_id: entity the line is coded to
-- entity_name: name of the entity
-- division_id: division (cost centre) the line is coded to
-- division_name: name of the division
-- supplier_name: name of the supplier; NULL for claims
-- claimant_id: user id of the claimant; NULL for invoices
-- claimant_name: name of the claimant
-- expense_type: expense type
-- description: what people wrote about the line
-- recipient_count: how many recipients came; NULL if none did
-- employee_count: how many of them are employees
-- client_count: how many of them are clients
-- other_count: how many of them are of another kind
-- currency_code: ISO 4217 code of the claim's or invoice's currency
-- gross_amount: amount including tax
-- fifty_fifty_amount: half of it
-- actual_amount: gross_amount by employee_count of recipient_count, to the hundredth of a cent; NULL if no recipients came
WITH
recipient AS (
    SELECT
        company_id, claim_id, expense_id,
        count(*) AS recipient_count,
        count(*) FILTER (WHERE lower(type) = 'employee') AS employee_count,
        count(*) FILTER (WHERE lower(type) = 'client') AS client_count
    FROM live_expense_recipient
    GROUP BY company_id, claim_id, expense_id
),
entertainment_type AS (
    SELECT DISTINCT lower(unnest(getvariable('entertainment_types'))) AS name
),
line AS (
    SELECT
        line.company_id, line.company_name, line.document_type, line.document_id, line.line_id, line.split_id,
        line.spent_on, line.status, line.entity_id, line.entity_name, line.division_id, line.division_name,
        line.supplier_name, line.claimant_id, line.claimant_name, line.expense_type, line.description,
        recipient.recipient_count, recipient.employee_count, recipient.client_count,
        line.claim_currency_code AS currency_code,
        line.claim_gross_amount AS gross_amount,
        -- Ten-thousandths as whole numbers, so that the division can be rounded exactly.
        (line.claim_gross_amount::DECIMAL(38, 4) * 10000)::HUGEINT * recipient.employee_count AS shared
    FROM mart.spend_line AS line
    LEFT JOIN recipient
        ON line.document_type = 'claim'
        AND recipient.company_id = line.company_id
        AND recipient.claim_id = line.document_id
        AND recipient.expense_id = line.line_id
    WHERE
        line.is_spend
        AND line.claim_gross_amount IS NOT NULL
        AND line.claim_currency_code IS NOT NULL
        AND lower(line.expense_type) IN (SELECT name FROM entertainment_type)
)
SELECT
    company_id,
    company_name,
    document_type,
    document_id,
    line_id,
    split_id,
    (year(spent_on) + (month(spent_on) >= 4)::INTEGER)::INTEGER AS fbt_year,
    spent_on,
    status,
    entity_id,
    entity_name,
    division_id,
    division_name,
    supplier_name,
    claimant_id,
    claimant_name,
    expense_type,
    description,
    recipient_count,
    employee_count,
    client_count,
    recipient_count - employee_count - client_count AS other_count,
    currency_code,
    gross_amount,
    (gross_amount::DECIMAL(38, 4) * 0.5)::DECIMAL(18, 4) AS fifty_fifty_amount,
    (
        (sign(shared) * ((abs(shared) * 2 + recipient_count) // (recipient_count * 2)))::DECIMAL(18, 0)
        * 0.0001::DECIMAL(4, 4)
    )::DECIMAL(18, 4) AS actual_amount
FROM line
