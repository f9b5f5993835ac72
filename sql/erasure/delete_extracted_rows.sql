-- Deletes the rows of {extract} under the pseudonyms that the user {user} has in it, which %(user_key_secrets)s make.
DELETE FROM {extract} AS e
WHERE
    e.{user_key} = any(
        SELECT left(encode(public.hmac({user}::text, s.secret, 'sha256'), 'hex'), 32)
        FROM unnest(%(user_key_secrets)s::text[]) AS s (secret)
    )
