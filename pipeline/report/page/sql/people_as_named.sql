SELECT company_id, person_id, max(name) AS name
    FROM (
        SELECT company_id, claimant_id AS person_id, claimant_name AS name FROM mart.claimant
        UNION ALL
        SELECT company_id, approver_id, approver_name FROM mart.approval
    )
    WHERE person_id IS NOT NULL
    GROUP BY company_id, person_id
