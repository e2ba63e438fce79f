-- Every value of a closed accounting period that a later run changed, with the document it belongs to as it stands today.
-- Values are text, as the rows hold all kinds. Empty for sites that close no periods.
--
-- grain: run_id, table_name, record_key, column_name
-- evidence: documented
--
-- run_id: run that brought the change
-- restated_on: day of the run's data
-- company_id: company; NULL for rows that belong to none
-- document_type: claim or invoice; NULL for rows of neither
-- document_id: key of the claim or invoice
-- reference: the supplier's invoice number
-- supplier_name: name of the supplier
-- claimant_name: name of the claimant
-- status: status of the document today; NULL if it is gone
-- finalised_on: day on which it was finalised, as it stands today
-- resource: resource of the row
-- table_name: table of the row
-- record_key: key of the row, outermost parent first
-- column_name: column of the value
-- kind: what became of the row: changed, deleted or added
-- value_before: value before the run; NULL if there was none
-- value_after: value after the run; NULL if there is none
WITH
change AS (
    SELECT
        run_id, resource, table_name, key, column_name, before, after, kind,
        CASE
            WHEN resource IN ('claim', 'expense', 'expense_split') THEN 'claim'
            WHEN resource IN ('invoice', 'invoice_line', 'invoice_split') THEN 'invoice'
        END AS document_type
    FROM meta.restatement
)
SELECT
    change.run_id,
    local_on(run.as_at) AS restated_on,
    change.key[1] AS company_id,
    change.document_type,
    CASE WHEN change.document_type IS NOT NULL THEN change.key[2] END AS document_id,
    document.reference,
    document.supplier_name,
    document.claimant_name,
    document.status,
    document.finalised_on,
    change.resource,
    change.table_name,
    array_to_string(change.key, ' / ') AS record_key,
    change.column_name,
    change.kind,
    change.before AS value_before,
    change.after AS value_after
FROM change
LEFT JOIN meta.run AS run ON run.run_id = change.run_id
LEFT JOIN mart.document AS document
    ON document.company_id = change.key[1]
    AND document.document_type = change.document_type
    AND document.document_id = change.key[2]
