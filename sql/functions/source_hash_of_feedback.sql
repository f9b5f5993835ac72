CREATE OR REPLACE FUNCTION yumai_pipelines.source_hash(p_feedback analytics.user_feedback)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Hashed once more, as text: a change of a last column adds the same to the hash of each row, and an even number
    -- of such changes would cancel where hashes are combined by XOR.
    SELECT hashtextextended(
        hash_record_extended(
            ROW(
                (p_feedback).id,
                (p_feedback).session_id,
                (p_feedback).user_id,
                (p_feedback).time_stamp,
                (p_feedback).feedback_type,
                (p_feedback).feedback_target_type,
                (p_feedback).feedback_target_id,
                (p_feedback).feedback_content
            ),
            1
        )::text COLLATE "C",
        0
    )
$$;
COMMENT ON FUNCTION yumai_pipelines.source_hash(analytics.user_feedback) IS
'Fingerprint of what the extracts read of a feedback. Without its recommendation, which decides the month that counts it.';
