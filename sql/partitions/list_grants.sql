-- The privileges on %(table)s of roles other than its owner. One row per grantee and privilege.
SELECT CASE WHEN g.grantee = 0 THEN NULL ELSE pg_get_userbyid(g.grantee) END AS grantee, g.privilege_type, g.is_grantable
  FROM pg_class AS c
 CROSS JOIN LATERAL aclexplode(c.relacl) AS g
 WHERE c.oid = %(table)s::regclass
   AND g.grantee <> c.relowner
 ORDER BY grantee, g.privilege_type
