-- How many groups that may stand twice, documents just under a threshold, and gaps in coding there are.
SELECT 'Invoices of one supplier with one reference, groups' AS kind, count(DISTINCT (company_id, group_key)) AS found_count, count(*) AS row_count
FROM mart.duplicate_suspect
WHERE rule = 'supplier_reference'
UNION ALL
SELECT 'Expenses of one person, day and amount, groups', count(DISTINCT (company_id, group_key)), count(*)
FROM mart.duplicate_suspect
WHERE rule = 'claimant_amount_date'
UNION ALL
SELECT 'Documents just under an approval threshold', count(DISTINCT (company_id, document_type, document_id)), count(*)
FROM mart.below_threshold
UNION ALL
SELECT 'Lines and documents with gaps', count(DISTINCT (company_id, document_type, document_id, line_id, split_id)), count(*)
FROM mart.coding_gap
