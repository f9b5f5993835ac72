-- Records in the ledger what the months %(months)s (their first days) of {extract} were built from. One row per month.
INSERT INTO extracts.ledger AS l (
    extract, month, row_count, source_recommendations, source_feedback, last_recommendation_id, last_feedback_id,
    last_source_time, source_hash, user_key_id, min_group_users, code_version, run_id, built_because, as_of, built_at
)
SELECT
    %(extract)s,
    s.month,
    (SELECT count(*) FROM {extract} AS e WHERE e.month = s.month),
    s.source_recommendations,
    s.source_feedback,
    s.last_recommendation_id,
    s.last_feedback_id,
    s.last_source_time,
    s.source_hash,
    %(user_key_id)s,
    %(min_group_users)s,
    %(code_version)s,
    %(run_id)s,
    (%(because)s::text[])[array_position(%(months)s::date[], s.month)],
    -- When this transaction began, before its snapshot was taken.
    now(),
    clock_timestamp()
FROM staged_sources AS s
WHERE s.month = ANY(%(months)s::date[])
ON CONFLICT (extract, month) DO UPDATE SET
    row_count = excluded.row_count,
    source_recommendations = excluded.source_recommendations,
    source_feedback = excluded.source_feedback,
    last_recommendation_id = excluded.last_recommendation_id,
    last_feedback_id = excluded.last_feedback_id,
    last_source_time = excluded.last_source_time,
    source_hash = excluded.source_hash,
    user_key_id = excluded.user_key_id,
    min_group_users = excluded.min_group_users,
    code_version = excluded.code_version,
    run_id = excluded.run_id,
    built_because = excluded.built_because,
    as_of = excluded.as_of,
    built_at = excluded.built_at,
    checks_passed = NULL,
    checked_at = NULL
