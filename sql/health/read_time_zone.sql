-- The time zone that the database gives to new connections; NULL where it gives none.
SELECT (
    SELECT split_part(entry.setting, '=', 2)
    FROM pg_db_role_setting AS s
    INNER JOIN pg_database AS d ON s.setdatabase = d.oid
    CROSS JOIN unnest(s.setconfig) AS entry (setting)
    WHERE d.datname = current_database() AND s.setrole = 0 AND lower(entry.setting) LIKE 'timezone=%'
)
