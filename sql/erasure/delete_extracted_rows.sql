-- Deletes the rows of {extract} under any pseudonym of the user {user}, made with one of the secrets %(user_key_secrets)s.
DELETE FROM {extract} AS e
WHERE
    e.{user_key} = any(
        SELECT left(encode(public.hmac({user}::text, s.secret, 'sha256'), 'hex'), 32)
        FROM unnest(%(user_key_secrets)s::text[]) AS s (secret)
    )
