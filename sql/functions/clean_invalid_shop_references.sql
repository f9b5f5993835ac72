CREATE OR REPLACE FUNCTION chatbot.clean_invalid_shop_references()
RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    v_total integer := 0;
    v_rows integer;
BEGIN
    UPDATE chatbot.conversations AS c
    SET
        recommended_shop_ids = ARRAY(
            SELECT named.shop_id
            FROM unnest(c.recommended_shop_ids) WITH ORDINALITY AS named (shop_id, position)
            WHERE EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
            ORDER BY named.position
        )
    WHERE EXISTS (
        SELECT FROM unnest(c.recommended_shop_ids) AS named (shop_id)
        WHERE NOT EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
    );
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;

    UPDATE chatbot.user_profiles AS p
    SET
        favorite_shops = ARRAY(
            SELECT named.shop_id
            FROM unnest(p.favorite_shops) WITH ORDINALITY AS named (shop_id, position)
            WHERE EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
            ORDER BY named.position
        )
    WHERE EXISTS (
        SELECT FROM unnest(p.favorite_shops) AS named (shop_id)
        WHERE NOT EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = named.shop_id)
    );
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    v_total := v_total + v_rows;

    UPDATE analytics.recommendations_log AS r
    SET top_recommendation_shop_id = NULL
    WHERE
        r.top_recommendation_shop_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM chatbot.shops AS s WHERE s.id = r.top_recommendation_shop_id);
    GET DIAGNOSTICS v_rows = ROW_COUNT;
    RETURN v_total + v_rows;
END
$$;
COMMENT ON FUNCTION chatbot.clean_invalid_shop_references() IS
'Takes ids of shops that are gone out of recommended_shop_ids, favorite_shops and top_recommendation_shop_id, which have no foreign key. Returns how many rows it changed.';
