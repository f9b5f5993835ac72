-- The other extracts for analysts, what they were built from, and what retention took out of that.

CREATE TABLE extracts.recommendation_outcomes (
    month date NOT NULL CHECK (extract(DAY FROM month) = 1),
    recommendation_id bigint NOT NULL,
    recommended_at timestamptz NOT NULL,
    user_key text CHECK (length(user_key) = 32),
    session_type varchar(50) NOT NULL,
    seconds_into_session double precision CHECK (seconds_into_session >= 0),
    request_category varchar(20),
    request_budget int,
    request_has_location boolean NOT NULL,
    recommendation_method varchar(50) NOT NULL,
    confidence_score numeric(4, 3),
    wide_score numeric(4, 3),
    deep_score numeric(4, 3),
    rag_score numeric(4, 3),
    shop_id int,
    shop_category varchar(20) NOT NULL,
    shop_takes_food_card char(1),
    shop_is_good_influence boolean,
    list_is_readable boolean NOT NULL,
    listed_shops int NOT NULL CHECK (listed_shops >= 0),
    unreadable_shops int NOT NULL CHECK (unreadable_shops BETWEEN 0 AND listed_shops),
    was_selected boolean NOT NULL,
    selected_shop_id bigint CHECK (selected_shop_id IS NULL OR was_selected),
    selected_rank int CHECK (selected_rank IS NULL OR selected_rank BETWEEN 1 AND listed_shops AND was_selected),
    seconds_to_selection double precision CHECK (seconds_to_selection >= 0),
    feedback_count int NOT NULL CHECK (feedback_count >= 0),
    rating_count int NOT NULL CHECK (rating_count BETWEEN 0 AND feedback_count),
    rating_mean numeric(4, 3) CHECK (rating_mean BETWEEN 1 AND 5),
    last_feedback_at timestamptz,
    PRIMARY KEY (month, recommendation_id)
);
CREATE INDEX idx_recommendation_outcomes_time ON extracts.recommendation_outcomes USING brin (recommended_at);
CREATE INDEX idx_recommendation_outcomes_shop ON extracts.recommendation_outcomes (shop_id, month);
CREATE INDEX idx_recommendation_outcomes_user ON extracts.recommendation_outcomes (user_key);
COMMENT ON TABLE extracts.recommendation_outcomes IS
'What became of each recommendation. One row per recommendation.';
COMMENT ON COLUMN extracts.recommendation_outcomes.month IS
'First day of the month (Asia/Seoul) in which the recommendation was made.';
COMMENT ON COLUMN extracts.recommendation_outcomes.recommendation_id IS 'Key of the recommendation in the log.';
COMMENT ON COLUMN extracts.recommendation_outcomes.recommended_at IS 'When it was made.';
COMMENT ON COLUMN extracts.recommendation_outcomes.user_key IS
'Pseudonym of the user: the first 128 bits, in hex, of an HMAC-SHA-256 of the id, the same in all months that were built under one secret (ledger.user_key_id). NULL for nobody signed in.';
COMMENT ON COLUMN extracts.recommendation_outcomes.session_type IS
'chat, voice, api, test or admin; unknown where the session does not say.';
COMMENT ON COLUMN extracts.recommendation_outcomes.seconds_into_session IS
'Seconds from the start of the session to the recommendation; NULL where the session does not say, or started later.';
COMMENT ON COLUMN extracts.recommendation_outcomes.request_category IS
'The food that was asked for, where it is a category of shops; other for any other food, whose name is not taken over; NULL for none.';
COMMENT ON COLUMN extracts.recommendation_outcomes.request_budget IS 'The budget that was named, in won.';
COMMENT ON COLUMN extracts.recommendation_outcomes.request_has_location IS
'Whether a place was named. Which one is not taken over: it may be somebody''s address.';
COMMENT ON COLUMN extracts.recommendation_outcomes.recommendation_method IS
'How it was made: wide_deep, rag, hybrid; unknown where the log does not say.';
COMMENT ON COLUMN extracts.recommendation_outcomes.confidence_score IS
'How sure the method was, 0 to 1, as logged: one that is out of that range is too.';
COMMENT ON COLUMN extracts.recommendation_outcomes.wide_score IS 'Score of the wide part of the model, as logged.';
COMMENT ON COLUMN extracts.recommendation_outcomes.deep_score IS 'Score of the deep part of the model, as logged.';
COMMENT ON COLUMN extracts.recommendation_outcomes.rag_score IS 'Score of the retrieval, as logged.';
COMMENT ON COLUMN extracts.recommendation_outcomes.shop_id IS
'The shop that the recommendation is about; NULL where the log does not say, or the shop is gone.';
COMMENT ON COLUMN extracts.recommendation_outcomes.shop_category IS
'Its category when the extract was built; unknown where the shop is gone or has none.';
COMMENT ON COLUMN extracts.recommendation_outcomes.shop_takes_food_card IS
'Whether it takes the meal card: Y, N, P (in part) or U (unknown), when the extract was built.';
COMMENT ON COLUMN extracts.recommendation_outcomes.shop_is_good_influence IS
'Whether it is a 선한영향력 shop, when the extract was built.';
COMMENT ON COLUMN extracts.recommendation_outcomes.list_is_readable IS
'Whether the log holds a list of shops: false for an object or anything else.';
COMMENT ON COLUMN extracts.recommendation_outcomes.listed_shops IS 'Number of places in the list; 0 where it is not readable.';
COMMENT ON COLUMN extracts.recommendation_outcomes.unreadable_shops IS 'Number of places that name no shop in a readable way.';
COMMENT ON COLUMN extracts.recommendation_outcomes.was_selected IS 'Whether something was chosen.';
COMMENT ON COLUMN extracts.recommendation_outcomes.selected_shop_id IS
'The shop that was chosen, as logged, even if it is gone; NULL where that cannot be read.';
COMMENT ON COLUMN extracts.recommendation_outcomes.selected_rank IS
'Its first place in the list, from 1; NULL where nothing in the list was chosen.';
COMMENT ON COLUMN extracts.recommendation_outcomes.seconds_to_selection IS
'Seconds from the recommendation to the selection; NULL where nothing was chosen, the log does not say when, or says before.';
COMMENT ON COLUMN extracts.recommendation_outcomes.feedback_count IS 'Number of feedbacks on it, whenever they were given.';
COMMENT ON COLUMN extracts.recommendation_outcomes.rating_count IS 'Number of those with a valid rating.';
COMMENT ON COLUMN extracts.recommendation_outcomes.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';
COMMENT ON COLUMN extracts.recommendation_outcomes.last_feedback_at IS 'When the last feedback on it was given; NULL for none.';

CREATE TABLE extracts.shop_performance (
    month date NOT NULL CHECK (extract(DAY FROM month) = 1),
    shop_id bigint NOT NULL CHECK (shop_id >= -1),
    shop_name varchar(30),
    shop_category varchar(20) NOT NULL,
    listed bigint NOT NULL CHECK (listed >= 0),
    listed_top bigint NOT NULL CHECK (listed_top BETWEEN 0 AND listed),
    mean_rank double precision CHECK (mean_rank >= 1),
    users bigint NOT NULL CHECK (users >= 0),
    selections bigint NOT NULL CHECK (selections >= 0),
    selections_listed bigint NOT NULL CHECK (selections_listed BETWEEN 0 AND least(listed, selections)),
    selection_rate numeric(6, 5) CHECK (selection_rate BETWEEN 0 AND 1),
    feedback_count bigint NOT NULL CHECK (feedback_count >= 0),
    rating_count bigint NOT NULL CHECK (rating_count BETWEEN 0 AND feedback_count),
    rating_mean numeric(4, 3) CHECK (rating_mean BETWEEN 1 AND 5),
    positive bigint NOT NULL CHECK (positive BETWEEN 0 AND feedback_count),
    negative bigint NOT NULL CHECK (negative BETWEEN 0 AND feedback_count - positive),
    PRIMARY KEY (month, shop_id)
);
CREATE INDEX idx_shop_performance_shop ON extracts.shop_performance (shop_id, month);
COMMENT ON TABLE extracts.shop_performance IS
'How often each shop was listed, chosen and praised. One row per month and shop that was listed, chosen or spoken of.';
COMMENT ON COLUMN extracts.shop_performance.month IS
'First day of the month (Asia/Seoul) in which the shop was listed; of a feedback, the month of its recommendation if it has one, else its own.';
COMMENT ON COLUMN extracts.shop_performance.shop_id IS
'The shop, as the log names it, even if it is gone; 0 for places, selections and feedbacks that name no shop in a readable way; -1 for shops of too few users, if such groups are merged (ledger.min_group_users).';
COMMENT ON COLUMN extracts.shop_performance.shop_name IS 'Its name when the extract was built; NULL where it is gone.';
COMMENT ON COLUMN extracts.shop_performance.shop_category IS
'Its category when the extract was built; unknown where it is gone or has none; suppressed for merged shops.';
COMMENT ON COLUMN extracts.shop_performance.listed IS
'Number of recommendations whose list has the shop; twice in one list counts once.';
COMMENT ON COLUMN extracts.shop_performance.listed_top IS 'Number of those in which it stands first.';
COMMENT ON COLUMN extracts.shop_performance.mean_rank IS
'Mean of its places in these lists, from 1, the first place in each; NULL where it was never listed.';
COMMENT ON COLUMN extracts.shop_performance.users IS
'Number of users to whom it was listed; nobody signed in is not counted.';
COMMENT ON COLUMN extracts.shop_performance.selections IS
'Number of recommendations from which it was chosen, whether or not their list has it.';
COMMENT ON COLUMN extracts.shop_performance.selections_listed IS 'Number of those whose list has it.';
COMMENT ON COLUMN extracts.shop_performance.selection_rate IS 'selections_listed / listed, 0 to 1; NULL where it was never listed.';
COMMENT ON COLUMN extracts.shop_performance.feedback_count IS 'Number of feedbacks whose target is the shop.';
COMMENT ON COLUMN extracts.shop_performance.rating_count IS 'Number of those with a valid rating.';
COMMENT ON COLUMN extracts.shop_performance.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';
COMMENT ON COLUMN extracts.shop_performance.positive IS
'Number of feedbacks with a rating of 4 or more or, without a valid one, a positive sentiment.';
COMMENT ON COLUMN extracts.shop_performance.negative IS
'Number of feedbacks with a rating of 2 or less or, without a valid one, a negative sentiment.';

CREATE TABLE extracts.feedback_summary (
    month date NOT NULL CHECK (extract(DAY FROM month) = 1),
    feedback_type varchar(30) NOT NULL,
    target_type varchar(30) NOT NULL,
    feedback_count bigint NOT NULL CHECK (feedback_count > 0),
    users bigint NOT NULL CHECK (users >= 0),
    sessions bigint NOT NULL CHECK (sessions >= 0),
    linked bigint NOT NULL CHECK (linked BETWEEN 0 AND feedback_count),
    rating_count bigint NOT NULL CHECK (rating_count BETWEEN 0 AND feedback_count),
    rating_mean numeric(4, 3) CHECK (rating_mean BETWEEN 1 AND 5),
    rating_1 bigint NOT NULL CHECK (rating_1 >= 0),
    rating_2 bigint NOT NULL CHECK (rating_2 >= 0),
    rating_3 bigint NOT NULL CHECK (rating_3 >= 0),
    rating_4 bigint NOT NULL CHECK (rating_4 >= 0),
    rating_5 bigint NOT NULL CHECK (rating_5 >= 0),
    invalid_ratings bigint NOT NULL CHECK (invalid_ratings BETWEEN 0 AND feedback_count - rating_count),
    CHECK (rating_1 + rating_2 + rating_3 + rating_4 + rating_5 = rating_count),
    PRIMARY KEY (month, feedback_type, target_type)
);
COMMENT ON TABLE extracts.feedback_summary IS
'What was said about what. One row per month, feedback type and target type.';
COMMENT ON COLUMN extracts.feedback_summary.month IS
'First day of the month (Asia/Seoul) of the recommendation that the feedback is on; of its own month, if it is on none.';
COMMENT ON COLUMN extracts.feedback_summary.feedback_type IS
'selection, rating, text, implicit, complaint, share, …; unknown where the log does not say; suppressed for merged groups of too few users (ledger.min_group_users).';
COMMENT ON COLUMN extracts.feedback_summary.target_type IS
'Kind of thing that it is about: shop, recommendation, conversation, service, …; unknown where the log does not say.';
COMMENT ON COLUMN extracts.feedback_summary.feedback_count IS 'Number of feedbacks.';
COMMENT ON COLUMN extracts.feedback_summary.users IS 'Number of users who gave them; nobody signed in is not counted.';
COMMENT ON COLUMN extracts.feedback_summary.sessions IS 'Number of sessions in which they were given.';
COMMENT ON COLUMN extracts.feedback_summary.linked IS 'Number of those on a recommendation.';
COMMENT ON COLUMN extracts.feedback_summary.rating_count IS 'Number of those with a valid rating.';
COMMENT ON COLUMN extracts.feedback_summary.rating_mean IS 'Mean of the valid ratings, 1 to 5; NULL where there is none.';
COMMENT ON COLUMN extracts.feedback_summary.rating_1 IS 'Number of valid ratings that round to 1; halves round up.';
COMMENT ON COLUMN extracts.feedback_summary.rating_2 IS 'Number of valid ratings that round to 2.';
COMMENT ON COLUMN extracts.feedback_summary.rating_3 IS 'Number of valid ratings that round to 3.';
COMMENT ON COLUMN extracts.feedback_summary.rating_4 IS 'Number of valid ratings that round to 4.';
COMMENT ON COLUMN extracts.feedback_summary.rating_5 IS 'Number of valid ratings that round to 5.';
COMMENT ON COLUMN extracts.feedback_summary.invalid_ratings IS
'Number of feedbacks of the type rating, or with a rating, that have no valid one: text, null, out of 1 to 5, nested, absent.';

CREATE TABLE extracts.score_calibration (
    month date NOT NULL CHECK (extract(DAY FROM month) = 1),
    recommendation_method varchar(50) NOT NULL,
    score varchar(10) NOT NULL CHECK (score IN ('confidence', 'wide', 'deep', 'rag')),
    decile smallint NOT NULL CHECK (decile BETWEEN -1 AND 10),
    recommendations bigint NOT NULL CHECK (recommendations > 0),
    mean_score numeric(6, 5) CHECK (mean_score BETWEEN 0 AND 1),
    selections bigint NOT NULL CHECK (selections BETWEEN 0 AND recommendations),
    selection_rate numeric(6, 5) CHECK (selection_rate BETWEEN 0 AND 1),
    PRIMARY KEY (month, recommendation_method, score, decile)
);
COMMENT ON TABLE extracts.score_calibration IS
'Whether scores say how likely a selection is. One row per month, recommendation method, score and tenth of its range.';
COMMENT ON COLUMN extracts.score_calibration.month IS
'First day of the month (Asia/Seoul) in which the recommendations were made.';
COMMENT ON COLUMN extracts.score_calibration.recommendation_method IS
'How they were made: wide_deep, rag, hybrid; unknown where the log does not say; suppressed for merged groups of too few users (ledger.min_group_users).';
COMMENT ON COLUMN extracts.score_calibration.score IS 'Which score: confidence, wide, deep or rag.';
COMMENT ON COLUMN extracts.score_calibration.decile IS
'The tenth of the score''s range: 1 from 0 to below 0.1, …, 10 from 0.9 to 1; 0 for a score that is out of its range; -1 for merged groups.';
COMMENT ON COLUMN extracts.score_calibration.recommendations IS
'Number of recommendations with such a score; those without one are in no row.';
COMMENT ON COLUMN extracts.score_calibration.mean_score IS 'Mean of these scores, 0 to 1; NULL where they are out of range.';
COMMENT ON COLUMN extracts.score_calibration.selections IS 'Number of these recommendations from which something was chosen.';
COMMENT ON COLUMN extracts.score_calibration.selection_rate IS
'selections / recommendations, 0 to 1: equal to mean_score for a calibrated score.';

CREATE TABLE extracts.ledger (
    extract text NOT NULL,
    month date NOT NULL CHECK (extract(DAY FROM month) = 1),
    row_count bigint NOT NULL CHECK (row_count >= 0),
    source_recommendations bigint NOT NULL,
    source_feedback bigint NOT NULL,
    last_recommendation_id bigint,
    last_feedback_id bigint,
    last_source_time timestamptz,
    source_hash bigint NOT NULL,
    user_key_id text,
    min_group_users int NOT NULL,
    code_version text NOT NULL,
    run_id text,
    built_at timestamptz NOT NULL DEFAULT now(),
    checks_passed boolean,
    checked_at timestamptz,
    purged_recommendations bigint NOT NULL DEFAULT 0,
    purged_feedback bigint NOT NULL DEFAULT 0,
    purged_hash bigint NOT NULL DEFAULT 0,
    purged_at timestamptz,
    PRIMARY KEY (extract, month)
);
COMMENT ON TABLE extracts.ledger IS
'What each month of each extract was built from, whether it was proven, and what retention has since deleted. One row per extract and month.';
COMMENT ON COLUMN extracts.ledger.extract IS 'Name of the extract.';
COMMENT ON COLUMN extracts.ledger.month IS 'First day of the month (Asia/Seoul).';
COMMENT ON COLUMN extracts.ledger.row_count IS 'Rows of the extract in that month.';
COMMENT ON COLUMN extracts.ledger.source_recommendations IS 'Recommendations of the month that it was built from.';
COMMENT ON COLUMN extracts.ledger.source_feedback IS 'Feedbacks that count in the month.';
COMMENT ON COLUMN extracts.ledger.last_recommendation_id IS 'The highest id of those recommendations.';
COMMENT ON COLUMN extracts.ledger.last_feedback_id IS 'The highest id of those feedbacks.';
COMMENT ON COLUMN extracts.ledger.last_source_time IS 'The latest time of any of them.';
COMMENT ON COLUMN extracts.ledger.source_hash IS
'Fingerprint of all of them: the exclusive or of each row''s hash, so that it does not depend on their order. Another one means that the source has changed.';
COMMENT ON COLUMN extracts.ledger.user_key_id IS
'Fingerprint of the secret of the user keys: keys of months that differ here cannot be compared.';
COMMENT ON COLUMN extracts.ledger.min_group_users IS 'Groups of fewer users than this were merged; 1 for none.';
COMMENT ON COLUMN extracts.ledger.code_version IS 'Fingerprint of the SQL that built it.';
COMMENT ON COLUMN extracts.ledger.run_id IS 'The Dagster run that built it; NULL for none.';
COMMENT ON COLUMN extracts.ledger.built_at IS 'When it was built.';
COMMENT ON COLUMN extracts.ledger.checks_passed IS
'Whether it then passed its blocking checks; NULL while they have not run.';
COMMENT ON COLUMN extracts.ledger.checked_at IS 'When they ran.';
COMMENT ON COLUMN extracts.ledger.purged_recommendations IS
'Recommendations of the month that retention has deleted. The month cannot be built anew from what is left.';
COMMENT ON COLUMN extracts.ledger.purged_feedback IS
'Feedbacks that counted in the month and are deleted, or have lost their recommendation.';
COMMENT ON COLUMN extracts.ledger.purged_hash IS
'Fingerprint of both: the exclusive or of this and of what is left is source_hash, unless the source has changed.';
COMMENT ON COLUMN extracts.ledger.purged_at IS 'When retention last deleted something of the month; NULL for never.';

CREATE TABLE yumai_pipelines.counted_feedback (
    feedback_id bigint PRIMARY KEY,
    month date NOT NULL
);
COMMENT ON TABLE yumai_pipelines.counted_feedback IS
'Feedback that is still there while retention has deleted its recommendation: it counted in that month, so in no other. One row per feedback.';
COMMENT ON COLUMN yumai_pipelines.counted_feedback.feedback_id IS 'The feedback.';
COMMENT ON COLUMN yumai_pipelines.counted_feedback.month IS 'First day of the month in which it was counted.';
