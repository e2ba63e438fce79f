-- Month-end accruals of the last six months that are over, without tax: spend incurred or approved by the end of the month
-- and not finalised by then, as it is known today.
SELECT
    currency_code AS currency,
    month_end_on,
    if(bool_or(state = 'approved'), sum(net_amount) FILTER (WHERE state = 'approved'), 0) AS approved_net,
    if(bool_or(state = 'incurred'), sum(net_amount) FILTER (WHERE state = 'incurred'), 0) AS incurred_net,
    sum(net_amount) AS net,
    sum(line_count)::BIGINT AS line_count
FROM mart.accrual
WHERE month_end_on >= $month_start - INTERVAL 6 MONTH AND currency_code IS NOT NULL
GROUP BY currency_code, month_end_on
ORDER BY currency, month_end_on DESC
