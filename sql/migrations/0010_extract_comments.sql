-- Where feedback on no recommendation counts in the funnel.

COMMENT ON TABLE extracts.recommendation_funnel IS
'From recommendation to selection to feedback. One row per month, recommendation method and shop category. Feedback on no recommendation counts in the row unknown, unknown, which may have no recommendations.';
COMMENT ON COLUMN extracts.recommendation_funnel.feedback_count IS
'Number of feedbacks on these recommendations, whenever they were given; in the row unknown, unknown also of those on none.';
