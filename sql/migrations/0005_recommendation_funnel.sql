-- The first extract for analysts.

CREATE TABLE extracts.recommendation_funnel (
    month date NOT NULL CHECK (extract(DAY FROM month) = 1),
    recommendation_method varchar(50) NOT NULL,
    shop_category varchar(20) NOT NULL,
    recommendations bigint NOT NULL CHECK (recommendations >= 0),
    sessions bigint NOT NULL CHECK (sessions >= 0),
    users bigint NOT NULL CHECK (users >= 0),
    selections bigint NOT NULL CHECK (selections BETWEEN 0 AND recommendations),
    selection_rate numeric(6, 5) CHECK (selection_rate BETWEEN 0 AND 1),
    median_seconds_to_selection double precision,
    feedback_count bigint NOT NULL CHECK (feedback_count >= 0),
    feedback_rate numeric(6, 5) CHECK (feedback_rate BETWEEN 0 AND 1),
    rating_count bigint NOT NULL CHECK (rating_count BETWEEN 0 AND feedback_count),
    rating_mean numeric(4, 3) CHECK (rating_mean BETWEEN 1 AND 5),
    PRIMARY KEY (month, recommendation_method, shop_category)
);
COMMENT ON TABLE extracts.recommendation_funnel IS
'From recommendation to selection to feedback. One row per month, recommendation method and shop category.';
COMMENT ON COLUMN extracts.recommendation_funnel.month IS
'First day of the month (Asia/Seoul) in which the recommendations were made.';
COMMENT ON COLUMN extracts.recommendation_funnel.recommendation_method IS
'How they were made: wide_deep, rag, hybrid; unknown where the log does not say.';
COMMENT ON COLUMN extracts.recommendation_funnel.shop_category IS
'Category of the recommended shop; unknown where the shop is gone or has none.';
COMMENT ON COLUMN extracts.recommendation_funnel.recommendations IS 'Number of recommendations.';
COMMENT ON COLUMN extracts.recommendation_funnel.sessions IS 'Number of sessions that they were made in.';
COMMENT ON COLUMN extracts.recommendation_funnel.users IS 'Number of users that they were made to; nobody signed in is not counted.';
COMMENT ON COLUMN extracts.recommendation_funnel.selections IS 'Number of recommendations from which something was chosen.';
COMMENT ON COLUMN extracts.recommendation_funnel.selection_rate IS 'selections / recommendations, 0 to 1.';
COMMENT ON COLUMN extracts.recommendation_funnel.median_seconds_to_selection IS
'Median seconds from recommendation to selection; NULL where nothing was chosen.';
COMMENT ON COLUMN extracts.recommendation_funnel.feedback_count IS
'Number of feedbacks on these recommendations, whenever they were given.';
COMMENT ON COLUMN extracts.recommendation_funnel.feedback_rate IS
'Share of the recommendations that have at least one feedback, 0 to 1.';
COMMENT ON COLUMN extracts.recommendation_funnel.rating_count IS 'Number of feedbacks with a valid rating.';
COMMENT ON COLUMN extracts.recommendation_funnel.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';
