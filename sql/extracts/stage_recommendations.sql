-- Reads the recommendations of the months %(months)s (their first days) once, for all extracts: month i is from
-- %(bounds)s[i] up to %(bounds)s[i + 1]. One row per recommendation, with raw ids: it lives as long as the transaction.
CREATE TEMPORARY TABLE staged_recommendations ON COMMIT DROP AS
SELECT
    r.id,
    (%(months)s::date[])[width_bucket(r.time_stamp, %(bounds)s::timestamptz[])] AS month,
    r.time_stamp,
    r.session_id,
    r.user_id,
    r.request_food_type,
    r.request_budget,
    r.request_location IS NOT NULL AS has_location,
    coalesce(r.recommendation_method, 'unknown') AS method,
    r.confidence_score,
    r.wide_score,
    r.deep_score,
    r.rag_score,
    r.shop_id,
    coalesce(s.category, 'unknown') AS category,
    s.is_food_card_shop,
    s.is_good_influence_shop,
    list.is_one AS is_list,
    -- By rank; NULL for a place that names no shop.
    coalesce(list.places, '{}') AS listed,
    selection.is_one AS selected,
    -- 0 for a selection that names no shop.
    CASE WHEN selection.is_one THEN coalesce(selection.shop_id, 0) END AS selected_shop_id,
    -- array_position would find NULL too: a place that names no shop.
    CASE WHEN selection.shop_id IS NOT NULL THEN array_position(list.places, selection.shop_id) END AS selected_rank,
    CASE
        WHEN selection.is_one AND isfinite(r.selection_timestamp) AND r.selection_timestamp >= r.time_stamp
            THEN extract(EPOCH FROM r.selection_timestamp - r.time_stamp)::double precision
    END AS seconds_to_selection,
    yumai_pipelines.source_hash(r) AS source_hash
FROM analytics.recommendations_log AS r
LEFT JOIN chatbot.shops AS s ON s.id = r.shop_id
CROSS JOIN LATERAL (
    SELECT
        shown.is_one,
        CASE
            WHEN shown.is_one
                THEN array(
                    SELECT
                        CASE
                            WHEN item.value ->> 'shop_id' ~ '^[1-9][0-9]{0,17}$'
                                THEN (item.value ->> 'shop_id')::bigint
                        END
                    FROM jsonb_array_elements(r.recommendations) WITH ORDINALITY AS item (value, rank)
                    ORDER BY item.rank
                )
        END AS places
    FROM (SELECT jsonb_typeof(r.recommendations) = 'array' AS is_one) AS shown
    -- Computed once a row, not once a use.
    OFFSET 0
) AS list
CROSS JOIN LATERAL (
    SELECT
        chosen.is_one,
        CASE
            WHEN chosen.is_one AND extracts.is_readable(r.user_selection)
                THEN (substring(r.user_selection::text::jsonb ->> 'shop_id' FROM '^[1-9][0-9]{0,17}$'))::bigint
        END AS shop_id
    FROM (SELECT coalesce(json_typeof(r.user_selection) <> 'null', FALSE) AS is_one) AS chosen
    OFFSET 0
) AS selection
WHERE
    r.time_stamp >= (%(bounds)s::timestamptz[])[1]
    AND r.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
