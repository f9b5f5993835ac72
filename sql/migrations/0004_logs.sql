-- What the chatbot writes beside the conversations. Section 3.3 of the database document.

CREATE TABLE ml_features.nlu_features (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    nlu_intent varchar(50),
    nlu_confidence numeric(4, 3),
    food_category_mentioned varchar(50),
    budget_mentioned int,
    location_mentioned varchar(100),
    companions_mentioned json,
    time_preference varchar(50),
    menu_options json,
    special_requirements json,
    processing_time_ms int,
    model_version varchar(50),
    created_at timestamptz DEFAULT now()
);
CREATE INDEX idx_nlu_features_user ON ml_features.nlu_features (user_id);
COMMENT ON TABLE ml_features.nlu_features IS 'What language understanding found in a message. One row per message.';
COMMENT ON COLUMN ml_features.nlu_features.budget_mentioned IS 'The budget that was named, in won.';
COMMENT ON CONSTRAINT nlu_features_user_id_fkey ON ml_features.nlu_features IS
'Cascades: derived from what the user said.';

CREATE TYPE ml_features.interaction_type AS ENUM ('text_input', 'selection', 'feedback', 'coupon_use');
COMMENT ON TYPE ml_features.interaction_type IS 'What a user did.';

CREATE TABLE ml_features.user_interactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    session_id uuid NOT NULL REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE,
    time_stamp timestamptz NOT NULL DEFAULT now(),
    interaction_type ml_features.interaction_type,
    food_preference_extracted varchar(100),
    budget_pattern_extracted int,
    companion_pattern_extracted json,
    location_preference_extracted varchar(100),
    recommendation_provided boolean DEFAULT FALSE,
    recommendation_count int DEFAULT 0,
    recommendations jsonb,
    user_strategy varchar(20),
    conversation_turn int
);
CREATE INDEX idx_user_interactions_user ON ml_features.user_interactions (user_id);
CREATE INDEX idx_user_interactions_session ON ml_features.user_interactions (session_id);
CREATE INDEX idx_user_interactions_time ON ml_features.user_interactions (time_stamp);
COMMENT ON TABLE ml_features.user_interactions IS 'What a user did in a session. One row per act.';
COMMENT ON COLUMN ml_features.user_interactions.id IS 'Key of the act.';
COMMENT ON COLUMN ml_features.user_interactions.user_id IS 'Who did it.';
COMMENT ON COLUMN ml_features.user_interactions.session_id IS 'The session in which it was done.';
COMMENT ON COLUMN ml_features.user_interactions.time_stamp IS 'When it was done.';
COMMENT ON COLUMN ml_features.user_interactions.interaction_type IS 'What it was.';
COMMENT ON COLUMN ml_features.user_interactions.food_preference_extracted IS 'The food that it points to.';
COMMENT ON COLUMN ml_features.user_interactions.budget_pattern_extracted IS 'The budget that it points to, in won.';
COMMENT ON COLUMN ml_features.user_interactions.companion_pattern_extracted IS 'With whom, as far as it says.';
COMMENT ON COLUMN ml_features.user_interactions.location_preference_extracted IS 'The place that it points to.';
COMMENT ON COLUMN ml_features.user_interactions.recommendation_provided IS 'Whether the chatbot recommended something.';
COMMENT ON COLUMN ml_features.user_interactions.recommendation_count IS 'How many shops it recommended.';
COMMENT ON COLUMN ml_features.user_interactions.recommendations IS 'The shops that it recommended.';
COMMENT ON COLUMN ml_features.user_interactions.user_strategy IS 'How the chatbot dealt with this user.';
COMMENT ON COLUMN ml_features.user_interactions.conversation_turn IS 'The turn of the session, from 1.';
COMMENT ON CONSTRAINT user_interactions_session_id_fkey ON ml_features.user_interactions IS
'Cascades: what was done goes with its session.';
COMMENT ON CONSTRAINT user_interactions_user_id_fkey ON ml_features.user_interactions IS
'Cascades: what was done is personal data of its user.';

CREATE TABLE analytics.recommendations_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    shop_id int REFERENCES chatbot.shops (id) ON DELETE SET NULL,
    session_id uuid NOT NULL REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE,
    time_stamp timestamptz NOT NULL DEFAULT now(),
    request_food_type varchar(100),
    request_budget int,
    request_location varchar(100),
    recommendations jsonb NOT NULL,
    recommendation_count int NOT NULL,
    top_recommendation_shop_id int,
    user_selection json,
    selection_timestamp timestamptz,
    recommendation_method varchar(50),
    confidence_score numeric(4, 3),
    wide_score numeric(4, 3),
    deep_score numeric(4, 3),
    rag_score numeric(4, 3)
);
CREATE INDEX idx_recommendations_log_user ON analytics.recommendations_log (user_id);
CREATE INDEX idx_recommendations_log_shop ON analytics.recommendations_log (shop_id);
CREATE INDEX idx_recommendations_log_session ON analytics.recommendations_log (session_id);
CREATE INDEX idx_recommendations_log_time ON analytics.recommendations_log (time_stamp);
COMMENT ON TABLE analytics.recommendations_log IS
'What the chatbot recommended, and what was chosen. One row per recommendation, which lists several shops.';
COMMENT ON COLUMN analytics.recommendations_log.id IS 'Key of the recommendation.';
COMMENT ON COLUMN analytics.recommendations_log.user_id IS 'To whom.';
COMMENT ON COLUMN analytics.recommendations_log.shop_id IS 'The shop that the recommendation is about.';
COMMENT ON COLUMN analytics.recommendations_log.session_id IS 'In which session.';
COMMENT ON COLUMN analytics.recommendations_log.time_stamp IS 'When it was made; decides the month of the extracts.';
COMMENT ON COLUMN analytics.recommendations_log.request_food_type IS 'The food that was asked for.';
COMMENT ON COLUMN analytics.recommendations_log.request_budget IS 'The budget that was named, in won.';
COMMENT ON COLUMN analytics.recommendations_log.request_location IS 'The place that was named.';
COMMENT ON COLUMN analytics.recommendations_log.recommendations IS
'The list that was shown, best first: [{"shop_id", "score", "reason"}].';
COMMENT ON COLUMN analytics.recommendations_log.recommendation_count IS 'How many shops the list has.';
COMMENT ON COLUMN analytics.recommendations_log.top_recommendation_shop_id IS
'The first shop of the list, without a foreign key: clean_invalid_shop_references() empties it when the shop is gone.';
COMMENT ON COLUMN analytics.recommendations_log.user_selection IS
'What was chosen: {"shop_id", "rank", "source"}; NULL when nothing was.';
COMMENT ON COLUMN analytics.recommendations_log.selection_timestamp IS 'When it was chosen.';
COMMENT ON COLUMN analytics.recommendations_log.recommendation_method IS 'How it was made: wide_deep, rag or hybrid.';
COMMENT ON COLUMN analytics.recommendations_log.confidence_score IS 'How sure the method is, 0 to 1.';
COMMENT ON COLUMN analytics.recommendations_log.wide_score IS 'Score of the wide part of the model, 0 to 1.';
COMMENT ON COLUMN analytics.recommendations_log.deep_score IS 'Score of the deep part of the model, 0 to 1.';
COMMENT ON COLUMN analytics.recommendations_log.rag_score IS 'Score of the retrieval, 0 to 1.';
COMMENT ON CONSTRAINT recommendations_log_user_id_fkey ON analytics.recommendations_log IS
'Cascades: what was recommended to somebody is personal data of theirs. The older system had no foreign key here.';
COMMENT ON CONSTRAINT recommendations_log_shop_id_fkey ON analytics.recommendations_log IS
'Set to NULL: the recommendation was made even if the shop is gone.';
COMMENT ON CONSTRAINT recommendations_log_session_id_fkey ON analytics.recommendations_log IS
'Cascades: what was recommended goes with its session.';

CREATE TABLE analytics.user_feedback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid NOT NULL REFERENCES chatbot.session_master (session_id) ON DELETE CASCADE,
    related_recommendation_id bigint REFERENCES analytics.recommendations_log (id) ON DELETE SET NULL,
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    time_stamp timestamptz NOT NULL DEFAULT now(),
    feedback_type varchar(30),
    feedback_target_type varchar(30),
    feedback_target_id varchar(30),
    feedback_content jsonb,
    context jsonb
);
CREATE INDEX idx_user_feedback_session ON analytics.user_feedback (session_id);
CREATE INDEX idx_user_feedback_recommendation ON analytics.user_feedback (related_recommendation_id);
CREATE INDEX idx_user_feedback_user ON analytics.user_feedback (user_id);
CREATE INDEX idx_user_feedback_time ON analytics.user_feedback (time_stamp);
COMMENT ON TABLE analytics.user_feedback IS 'What users thought of what they were told. One row per feedback.';
COMMENT ON COLUMN analytics.user_feedback.id IS 'Key of the feedback.';
COMMENT ON COLUMN analytics.user_feedback.session_id IS 'The session in which it was given: not always the recommendation''s.';
COMMENT ON COLUMN analytics.user_feedback.related_recommendation_id IS 'The recommendation that it is about, if it is.';
COMMENT ON COLUMN analytics.user_feedback.user_id IS 'Who gave it.';
COMMENT ON COLUMN analytics.user_feedback.time_stamp IS 'When it was given.';
COMMENT ON COLUMN analytics.user_feedback.feedback_type IS 'selection, rating, text, implicit, …';
COMMENT ON COLUMN analytics.user_feedback.feedback_target_type IS 'Kind of thing that it is about: shop, recommendation, …';
COMMENT ON COLUMN analytics.user_feedback.feedback_target_id IS 'Id of that thing, as text.';
COMMENT ON COLUMN analytics.user_feedback.feedback_content IS 'What was said; {"rating": 1 to 5} for a rating. Personal data.';
COMMENT ON COLUMN analytics.user_feedback.context IS 'Under what circumstances.';
COMMENT ON CONSTRAINT user_feedback_session_id_fkey ON analytics.user_feedback IS
'Cascades: what was said goes with its session.';
COMMENT ON CONSTRAINT user_feedback_related_recommendation_id_fkey ON analytics.user_feedback IS
'Set to NULL: feedback from another session stays when the session of the recommendation is deleted. The older system refused that.';
COMMENT ON CONSTRAINT user_feedback_user_id_fkey ON analytics.user_feedback IS
'Cascades: an opinion is personal data of its user. The older system refused to delete such a user.';
