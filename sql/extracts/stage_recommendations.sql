-- Reads the recommendations of the months %(months)s (their first days) once, for all extracts: month i is from
-- %(bounds)s[i] up to %(bounds)s[i + 1]. One row per recommendation, with raw ids: it lives as long as the transaction.
CREATE TEMPORARY TABLE staged_recommendations ON COMMIT DROP AS
SELECT
    l.id,
    (%(months)s::date[])[width_bucket(l.time_stamp, %(bounds)s::timestamptz[])] AS month,
    l.time_stamp,
    l.session_id,
    l.user_id,
    l.request_food_type,
    l.request_budget,
    l.has_location,
    l.method,
    l.confidence_score,
    l.wide_score,
    l.deep_score,
    l.rag_score,
    l.shop_id,
    coalesce(s.category, 'unknown') AS category,
    s.is_food_card_shop,
    s.is_good_influence_shop,
    l.is_list,
    -- By rank; NULL for a place that names no shop.
    l.listed,
    l.is_selection AS selected,
    -- 0 for a selection that names no shop.
    CASE WHEN l.is_selection THEN coalesce(l.chosen_shop_id, 0) END AS selected_shop_id,
    -- array_position would find NULL too: a place that names no shop.
    CASE WHEN l.chosen_shop_id IS NOT NULL THEN array_position(l.listed, l.chosen_shop_id) END AS selected_rank,
    CASE
        WHEN l.is_selection AND isfinite(l.selection_timestamp) AND l.selection_timestamp >= l.time_stamp
            THEN extract(EPOCH FROM l.selection_timestamp - l.time_stamp)::double precision
    END AS seconds_to_selection,
    l.source_hash
FROM (
    SELECT
        read.*,
        CASE
            WHEN NOT read.is_list THEN '{}'
            -- Every place was found, and each number is whole and above 0: digits that do not begin with 0.
            WHEN
                jsonb_array_length(read.named) = jsonb_array_length(read.recommendations)
                AND read.named::text !~ '[^][0-9, ]|[[ ]0'
                THEN translate(read.named::text, '[]', '{}')::bigint[]
            ELSE array(
                SELECT
                    CASE
                        WHEN item.value ->> 'shop_id' ~ '^[1-9][0-9]{0,17}$' THEN (item.value ->> 'shop_id')::bigint
                    END
                FROM jsonb_array_elements(read.recommendations) WITH ORDINALITY AS item (value, rank)
                ORDER BY item.rank
            )
        END AS listed,
        CASE
            WHEN read.is_selection AND extracts.is_readable(read.user_selection)
                THEN (substring(read.user_selection::text::jsonb ->> 'shop_id' FROM '^[1-9][0-9]{0,17}$'))::bigint
        END AS chosen_shop_id
    FROM (
        SELECT
            r.id,
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
            r.recommendations,
            r.user_selection,
            r.selection_timestamp,
            -- In an older database that was adopted there may be none.
            coalesce(jsonb_typeof(r.recommendations) = 'array', FALSE) AS is_list,
            -- In nearly all lists every place names its shop by a number of at most 18 digits. strict: in any other list
            -- fewer are found than it has places.
            jsonb_path_query_array(
                r.recommendations, 'strict $[*].shop_id ? (@ < 1000000000000000000)', silent => TRUE
            ) AS named,
            coalesce(json_typeof(r.user_selection) <> 'null', FALSE) AS is_selection,
            yumai_pipelines.source_hash(r) AS source_hash
        FROM analytics.recommendations_log AS r
        WHERE
            r.time_stamp >= (%(bounds)s::timestamptz[])[1]
            AND r.time_stamp < (%(bounds)s::timestamptz[])[cardinality(%(bounds)s::timestamptz[])]
        -- Computed once a row, not once a use.
        OFFSET 0
    ) AS read
    OFFSET 0
) AS l
LEFT JOIN chatbot.shops AS s ON s.id = l.shop_id
