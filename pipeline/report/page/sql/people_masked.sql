SELECT company_id, person_id,
        'Person ' || upper(left(sha256(key || '/' || person_id), 10)) AS name
    FROM (
        SELECT company_id, claimant_id AS person_id FROM mart.claimant
        UNION
        SELECT company_id, approver_id FROM mart.approval
    )
    CROSS JOIN (SELECT coalesce(arg_min(manifest_sha256, as_at), '') AS key FROM meta.run)
    WHERE person_id IS NOT NULL
