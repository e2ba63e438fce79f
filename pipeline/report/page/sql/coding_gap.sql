-- What is missing in documents and lines, by kind of gap.
SELECT
    replace(gap, '_', ' ') AS gap,
    document_type,
    count(*) AS row_count,
    count(DISTINCT (company_id, document_id)) AS document_count,
    max(spent_on) AS newest_on
FROM mart.coding_gap
GROUP BY gap, document_type
ORDER BY row_count DESC, gap, document_type
