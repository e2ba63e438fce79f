-- One row a person who claims, from their claims: the source has no list of people. Names and codes are those of the
-- claim that was changed last.
--
-- grain: company_id, claimant_id
-- evidence: documented
--
-- company_id: company of the claims
-- claimant_id: user id of the claimant
-- claimant_name: name of the claimant
-- employee_number: employee number
-- external_code: code of the claimant in another system
-- claim_count: how many claims there are, whatever their status
-- first_claim_on: day on which the first of them was created
-- last_claim_on: day on which the last of them was created
WITH
claim AS (
    SELECT
        company_id,
        claimant_id,
        nullif(claimant_name, '') AS claimant_name,
        nullif(employee_number, '') AS employee_number,
        nullif(claimant_external_code, '') AS external_code,
        local_on(created_date) AS created_on,
        row(coalesce(told_at(updated_date), told_at(created_date), to_timestamp(0)), id) AS newness
    FROM live_claim
    WHERE claimant_id <> ''
)
SELECT
    company_id,
    claimant_id,
    arg_max(claimant_name, newness) AS claimant_name,
    arg_max(employee_number, newness) AS employee_number,
    arg_max(external_code, newness) AS external_code,
    count(*) AS claim_count,
    min(created_on) AS first_claim_on,
    max(created_on) AS last_claim_on
FROM claim
GROUP BY company_id, claimant_id
