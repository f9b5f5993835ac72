CREATE OR REPLACE FUNCTION yumai_pipelines.source_hash(p_recommendation analytics.recommendations_log)
RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    -- Binary, not of the row's text: it must not cost more than the extracts themselves. json has no hash of its own.
    -- Hashed once more, as text: a change of a last column adds the same to the hash of each row, and an even number
    -- of such changes would cancel where hashes are combined by XOR.
    SELECT hashtextextended(
        hash_record_extended(
            ROW(
                (p_recommendation).id,
                (p_recommendation).user_id,
                (p_recommendation).session_id,
                (p_recommendation).time_stamp,
                (p_recommendation).request_food_type,
                (p_recommendation).request_budget,
                (p_recommendation).request_location,
                (p_recommendation).recommendations,
                (p_recommendation).user_selection::text,
                (p_recommendation).selection_timestamp,
                (p_recommendation).recommendation_method,
                (p_recommendation).confidence_score,
                (p_recommendation).wide_score,
                (p_recommendation).deep_score,
                (p_recommendation).rag_score
            ),
            0
        )::text COLLATE "C",
        0
    )
$$;
COMMENT ON FUNCTION yumai_pipelines.source_hash(analytics.recommendations_log) IS
'Fingerprint of what the extracts read of a recommendation. Without shop_id, which empties when the shop is deleted.';
