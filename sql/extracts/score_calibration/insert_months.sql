-- Fills the staged months. One row per month, recommendation method, score and tenth of its range (0: out of range);
-- groups of fewer than %(min_group_users)s users become one row a score, whose rates are NULL if it has fewer still.
INSERT INTO {extract} (
    month, recommendation_method, score, decile, recommendations, mean_score, selections, selection_rate
)
WITH scored AS NOT MATERIALIZED (
    SELECT
        r.month,
        r.method,
        scores.score,
        scores.value,
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

counted AS MATERIALIZED (
    -- Before anything is reckoned: millions of scores have some thousand values. All four are counted in one pass.
    SELECT g.*
    FROM (
        SELECT
            r.month,
            r.method,
            CASE
                WHEN grouping(r.confidence_score) = 0 THEN 'confidence'
                WHEN grouping(r.wide_score) = 0 THEN 'wide'
                WHEN grouping(r.deep_score) = 0 THEN 'deep'
                ELSE 'rag'
            END AS score,
            coalesce(r.confidence_score, r.wide_score, r.deep_score, r.rag_score) AS value,
            count(*) AS recommendations,
            count(*) FILTER (WHERE r.selected) AS selections
        FROM staged_recommendations AS r
        GROUP BY r.month, r.method, GROUPING SETS (r.confidence_score, r.wide_score, r.deep_score, r.rag_score)
    ) AS g
    WHERE g.value IS NOT NULL
),

deciles AS MATERIALIZED (
    SELECT
        c.value,
        -- numeric takes NaN too, which is above every number.
        CASE
            WHEN c.value BETWEEN 0 AND 1 THEN least(trunc(c.value * 10)::int, 9) + 1
            ELSE 0
        END AS decile,
        CASE WHEN c.value BETWEEN 0 AND 1 THEN c.value END AS valid_score
    FROM counted AS c
    GROUP BY c.value
),

small AS (
    SELECT s.month, s.method, s.score, d.decile
    FROM scored AS s
    INNER JOIN deciles AS d ON d.value = s.value
    WHERE %(min_group_users)s::int > 1
    GROUP BY s.month, s.method, s.score, d.decile
    HAVING count(DISTINCT s.user_id) < %(min_group_users)s::int
),

hidden AS (
    -- The merged rows that are still too small.
    SELECT s.month, s.score
    FROM scored AS s
    INNER JOIN deciles USING (value)
    INNER JOIN small USING (month, method, score, decile)
    WHERE %(min_group_users)s::int > 1
    GROUP BY s.month, s.score
    HAVING count(DISTINCT s.user_id) < %(min_group_users)s::int
),

summed AS (
    SELECT
        c.month,
        CASE WHEN small.month IS NULL THEN c.method ELSE 'suppressed' END AS method,
        c.score,
        CASE WHEN small.month IS NULL THEN d.decile ELSE -1 END AS decile,
        sum(c.recommendations) AS recommendations,
        round(
            sum(d.valid_score * c.recommendations)
            / nullif(sum(c.recommendations) FILTER (WHERE d.valid_score IS NOT NULL), 0),
            5
        ) AS mean_score,
        sum(c.selections) AS selections
    FROM counted AS c
    INNER JOIN deciles AS d ON d.value = c.value
    LEFT JOIN small
        ON small.month = c.month AND small.method = c.method AND small.score = c.score AND small.decile = d.decile
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
