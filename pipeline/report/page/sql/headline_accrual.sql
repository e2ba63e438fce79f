-- What the last month that is over left to accrue: incurred or approved by its end and not finalised by then, without tax.
SELECT
    currency_code AS currency,
    month_end_on,
    sum(net_amount) AS net,
    if(bool_or(state = 'approved'), sum(net_amount) FILTER (WHERE state = 'approved'), 0) AS approved_net
FROM mart.accrual
WHERE month_end_on = $month_start - 1 AND currency_code IS NOT NULL
GROUP BY currency_code, month_end_on
ORDER BY currency
