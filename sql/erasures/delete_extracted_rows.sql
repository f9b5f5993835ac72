-- Deletes the rows of {extract} under the pseudonym that the user {user} has in it, which %(user_key_secret)s makes.
DELETE FROM {extract} AS e
WHERE e.{user_key} = left(encode(public.hmac({user}::text, %(user_key_secret)s::text, 'sha256'), 'hex'), 32)
