-- What is unlike a fresh install and may stay so; and columns that were narrower than those of systems that run.

CREATE TABLE yumai_pipelines.accepted_differences (
    object text PRIMARY KEY,
    theirs text,
    ours text,
    why text NOT NULL CHECK (why ~ '\S'),
    since timestamptz NOT NULL DEFAULT now(),
    CHECK (theirs IS DISTINCT FROM ours)
);
COMMENT ON TABLE yumai_pipelines.accepted_differences IS
'Objects that are not what the migrations make, and may stay so: no drift, until they change again. One row per object.';
COMMENT ON COLUMN yumai_pipelines.accepted_differences.object IS 'Kind and name, such as: column chatbot.coupons.coupon_type.';
COMMENT ON COLUMN yumai_pipelines.accepted_differences.theirs IS 'Its definition in this database; NULL where it is missing.';
COMMENT ON COLUMN yumai_pipelines.accepted_differences.ours IS
'The definition that the migrations make; NULL for an object that they do not know.';
COMMENT ON COLUMN yumai_pipelines.accepted_differences.why IS 'Why it may stay so.';
COMMENT ON COLUMN yumai_pipelines.accepted_differences.since IS 'When it was accepted.';

-- Widening a varchar or a numeric changes the catalogue alone. An adopted database may have another type in these places, or
-- a view that reads such a column, which forbids it: these stay as they are, and the check of the schema's drift names them.
DO $$
DECLARE
    v_wanted record;
    v_is_checked boolean;
BEGIN
    FOR v_wanted IN
        SELECT w.name, w.attribute, w.type
        FROM (
            VALUES
            ('ml_features.nlu_features', 'food_category_mentioned', 'character varying(100)', 100),
            ('ml_features.user_interactions', 'user_strategy', 'character varying(30)', 30),
            ('chatbot.coupons', 'coupon_type', 'character varying(30)', 30),
            ('chatbot.coupons', 'usage_type', 'character varying(30)', 30),
            -- What was adopted may be wider than a fresh install, and is not cut off in the extracts.
            ('extracts.recommendation_outcomes', 'session_type', 'character varying', NULL),
            ('extracts.recommendation_outcomes', 'request_category', 'character varying', NULL),
            ('extracts.recommendation_outcomes', 'recommendation_method', 'character varying', NULL),
            ('extracts.recommendation_outcomes', 'shop_category', 'character varying', NULL),
            ('extracts.recommendation_outcomes', 'confidence_score', 'numeric', NULL),
            ('extracts.recommendation_outcomes', 'wide_score', 'numeric', NULL),
            ('extracts.recommendation_outcomes', 'deep_score', 'numeric', NULL),
            ('extracts.recommendation_outcomes', 'rag_score', 'numeric', NULL),
            ('extracts.recommendation_funnel', 'recommendation_method', 'character varying', NULL),
            ('extracts.recommendation_funnel', 'shop_category', 'character varying', NULL),
            ('extracts.shop_performance', 'shop_name', 'character varying', NULL),
            ('extracts.shop_performance', 'shop_category', 'character varying', NULL),
            ('extracts.feedback_summary', 'feedback_type', 'character varying', NULL),
            ('extracts.feedback_summary', 'target_type', 'character varying', NULL),
            ('extracts.score_calibration', 'recommendation_method', 'character varying', NULL)
        ) AS w (name, attribute, type, length)
        INNER JOIN pg_class AS c ON c.oid = to_regclass(w.name) AND c.relkind = 'r'
        INNER JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attname = w.attribute AND NOT a.attisdropped
        WHERE
            a.atttypid = CASE w.type WHEN 'numeric' THEN 'numeric'::regtype ELSE 'character varying'::regtype END
            AND a.atttypmod <> -1
            -- A varchar's modifier is its length and four.
            AND (w.length IS NULL OR a.atttypmod < w.length + 4)
    LOOP
        BEGIN
            EXECUTE format('ALTER TABLE %s ALTER %I TYPE %s', v_wanted.name, v_wanted.attribute, v_wanted.type);
        EXCEPTION
            WHEN feature_not_supported THEN
                RAISE NOTICE '%.% is not widened: %', v_wanted.name, v_wanted.attribute, SQLERRM;
        END;
    END LOOP;

    -- PostgreSQL has spelled these checks anew with the types of their columns, as it does in a restored dump.
    FOR v_wanted IN
        SELECT k.conname AS name, w.attribute, w.labels
        FROM (
            VALUES
            ('coupon_type', ARRAY['FIXED_AMOUNT', 'PERCENTAGE', 'FREEBIE', 'BOGO']),
            ('usage_type', ARRAY['ALL', 'SHOP', 'CATEGORY', 'FOODCARD', 'NEW_USER', 'LOYALTY'])
        ) AS w (attribute, labels)
        INNER JOIN pg_constraint AS k
            ON
                k.conrelid = to_regclass('chatbot.coupons') AND k.conname = format('coupons_%s_check', w.attribute)
                AND regexp_replace(pg_get_constraintdef(k.oid), '[() '']|::[a-z ]+(\[\])?', '', 'g')
                = format('CHECK%s=ANYARRAY[%s]', w.attribute, array_to_string(w.labels, ','))
        INNER JOIN pg_attribute AS a
            ON
                a.attrelid = k.conrelid AND a.attname = w.attribute AND a.atttypid = 'character varying'::regtype
    LOOP
        EXECUTE format(
            'ALTER TABLE chatbot.coupons DROP CONSTRAINT %1$I, ADD CONSTRAINT %1$I CHECK (%2$I IN (%3$s))',
            v_wanted.name,
            v_wanted.attribute,
            (SELECT string_agg(quote_literal(l.label), ', ') FROM unnest(v_wanted.labels) AS l (label))
        );
    END LOOP;

    -- A coupon of one day, where days are dates, is valid from and until the same. Parentheses differ in a restored dump.
    IF EXISTS (
        SELECT FROM pg_constraint
        WHERE
            conrelid = to_regclass('chatbot.coupons') AND conname = 'coupons_check'
            AND translate(pg_get_constraintdef(oid), '()', '') = 'CHECK valid_until > valid_from'
    ) THEN
        ALTER TABLE chatbot.coupons DROP CONSTRAINT coupons_check;
        ALTER TABLE chatbot.coupons ADD CONSTRAINT coupons_check CHECK (valid_until >= valid_from);
    END IF;

    -- Half a star is a rating. This rewrites the reviews, a table of the business and not of the conversations.
    v_is_checked := EXISTS (
        SELECT FROM pg_constraint
        WHERE
            conrelid = to_regclass('chatbot.reviews') AND conname = 'reviews_rating_check'
            AND translate(pg_get_constraintdef(oid), '()', '') = 'CHECK rating >= 1 AND rating <= 5'
    );
    IF v_is_checked THEN
        ALTER TABLE chatbot.reviews DROP CONSTRAINT reviews_rating_check;
    END IF;
    IF EXISTS (
        SELECT FROM pg_attribute
        WHERE
            attrelid = to_regclass('chatbot.reviews') AND attname = 'rating' AND atttypid = 'integer'::regtype
            AND attgenerated = ''
    ) THEN
        BEGIN
            ALTER TABLE chatbot.reviews ALTER rating TYPE numeric(2, 1);
        EXCEPTION
            WHEN feature_not_supported OR numeric_value_out_of_range THEN
                RAISE NOTICE 'chatbot.reviews.rating is not widened: %', SQLERRM;
        END;
    END IF;
    IF v_is_checked THEN
        ALTER TABLE chatbot.reviews ADD CONSTRAINT reviews_rating_check CHECK (rating BETWEEN 0 AND 5);
    END IF;
END
$$;
