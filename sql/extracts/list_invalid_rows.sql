-- Rows of the months %(months)s (their first days) of {extract} that cannot be right, with what is wrong. {key} are the
-- columns of the key; {faults} are the possible faults of a row e, each NULL where the row does not have it.
SELECT checked.*
FROM (
    SELECT
        {key},
        concat_ws('; ', {faults}) AS wrong
    FROM {extract} AS e
    WHERE e.month = ANY(%(months)s::date[])
) AS checked
WHERE checked.wrong <> ''
ORDER BY {key}
