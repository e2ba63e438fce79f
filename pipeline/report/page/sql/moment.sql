-- Which night this is, and where its day lies in fiscal year, quarter and FBT year.
SELECT
    info.run_id,
    info.data_as_at,
    info.site,
    info.program_version,
    day.date_on AS today,
    day.month_on,
    day.fiscal_year,
    day.fiscal_year_start_on,
    day.bas_quarter,
    day.bas_quarter_start_on,
    day.fbt_year
FROM meta.snapshot_info AS info
CROSS JOIN mart.calendar AS day
WHERE day.date_on = $today
