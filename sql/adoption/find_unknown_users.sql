-- Notes the missing users that {table} refers to by {column}.
INSERT INTO yumai_pipelines.adoption_unknown_users (user_id, source_table)
SELECT DISTINCT t.{column}, {name}
FROM {table} AS t
WHERE t.{column} IS NOT NULL AND NOT EXISTS (SELECT FROM chatbot.users AS u WHERE u.id = t.{column})
ON CONFLICT DO NOTHING
