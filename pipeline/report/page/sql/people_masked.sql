SELECT company_id, person_id, 'Person ' || row_number() OVER (ORDER BY company_id, length(person_id), person_id) AS name
    FROM (
        SELECT company_id, claimant_id AS person_id FROM mart.claimant
        UNION
        SELECT company_id, approver_id FROM mart.approval
    )
    WHERE person_id IS NOT NULL
