-- Fills the staged months. One row per month, recommendation method, score and tenth of its range (0: out of range);
-- groups of fewer than %(min_group_users)s users become one row a score, whose rates are NULL if it has fewer still.
INSERT INTO extracts.score_calibration (
    month, recommendation_method, score, decile, recommendations, mean_score, selections, selection_rate
)
WITH scored AS NOT MATERIALIZED (
    SELECT
        r.month,
        r.method,
        scores.score,
        -- numeric takes NaN too, which is above every number.
        CASE
            WHEN scores.value BETWEEN 0 AND 1 THEN least(trunc(scores.value * 10)::int, 9) + 1
            ELSE 0
        END AS decile,
        CASE WHEN scores.value BETWEEN 0 AND 1 THEN scores.value END AS value,
        r.selected,
        r.user_id
    FROM staged_recommendations AS r
    CROSS JOIN LATERAL (
        VALUES
        ('confidence', r.confidence_score),
        ('wide', r.wide_score),
        ('deep', r.deep_score),
        ('rag', r.rag_score)
    ) AS scores (score, value)
    WHERE scores.value IS NOT NULL
),

small AS (
    SELECT s.month, s.method, s.score, s.decile
    FROM scored AS s
    WHERE %(min_group_users)s::int > 1
    GROUP BY s.month, s.method, s.score, s.decile
    HAVING count(DISTINCT s.user_id) < %(min_group_users)s::int
),

hidden AS (
    -- The merged rows that are still too small.
    SELECT s.month, s.score
    FROM scored AS s
    INNER JOIN small USING (month, method, score, decile)
    WHERE %(min_group_users)s::int > 1
    GROUP BY s.month, s.score
    HAVING count(DISTINCT s.user_id) < %(min_group_users)s::int
),

tenths AS (
    -- Before they are merged: millions of scores become some thousand rows.
    SELECT
        s.month,
        s.method,
        s.score,
        s.decile,
        count(*) AS recommendations,
        count(s.value) AS valid_scores,
        sum(s.value) AS score_sum,
        count(*) FILTER (WHERE s.selected) AS selections
    FROM scored AS s
    GROUP BY s.month, s.method, s.score, s.decile
),

summed AS (
    SELECT
        t.month,
        CASE WHEN small.month IS NULL THEN t.method ELSE 'suppressed' END AS method,
        t.score,
        CASE WHEN small.month IS NULL THEN t.decile ELSE -1 END AS decile,
        sum(t.recommendations) AS recommendations,
        round(sum(t.score_sum) / nullif(sum(t.valid_scores), 0), 5) AS mean_score,
        sum(t.selections) AS selections
    FROM tenths AS t
    LEFT JOIN small
        ON small.month = t.month AND small.method = t.method AND small.score = t.score AND small.decile = t.decile
    GROUP BY 1, 2, 3, 4
)

SELECT
    g.month,
    g.method,
    g.score,
    g.decile,
    g.recommendations,
    CASE WHEN h.month IS NULL THEN g.mean_score END,
    g.selections,
    CASE WHEN h.month IS NULL THEN round(g.selections / g.recommendations, 5) END
FROM summed AS g
LEFT JOIN hidden AS h ON g.decile = -1 AND h.month = g.month AND h.score = g.score
