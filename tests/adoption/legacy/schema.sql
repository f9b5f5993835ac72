-- Makes a YUMAI database from before session_master, owned by the role that runs this: Seoul months from 2024-08 to
-- 2025-03 with one missing, wall time without a zone in the logs, and no foreign key to sessions.
CREATE SCHEMA chatbot;
CREATE SCHEMA ml_features;
CREATE SCHEMA analytics;

CREATE FUNCTION chatbot.update_updated_at_column() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at = CURRENT_TIMESTAMP;
    RETURN NEW;
END
$$;

CREATE TABLE chatbot.users (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_user_id varchar(200) UNIQUE,
    platform varchar(50) DEFAULT 'web'
    CONSTRAINT valid_platform CHECK (platform IN ('web', 'mobile_app', 'kakao', 'line', 'facebook', 'test')),
    user_name varchar(30),
    nickname varchar(30),
    email varchar(100) UNIQUE,
    phone_number varchar(20),
    birthday date,
    current_address text,
    preferred_location varchar(50),
    user_status varchar(20) DEFAULT 'ACTIVE' CHECK (user_status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED', 'DELETED')),
    last_login_at timestamptz,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE TRIGGER update_users_updated_at BEFORE UPDATE ON chatbot.users
FOR EACH ROW EXECUTE FUNCTION chatbot.update_updated_at_column();

CREATE TABLE chatbot.shops (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_name varchar(30) NOT NULL,
    category varchar(20),
    address_name varchar(50),
    latitude numeric(8, 6),
    longitude numeric(9, 6),
    is_good_influence_shop boolean DEFAULT FALSE,
    is_food_card_shop char(1) DEFAULT 'U',
    contact varchar(20),
    business_hours jsonb,
    current_status varchar(20) DEFAULT 'UNKNOWN',
    popularity_score numeric(4, 3),
    quality_score numeric(4, 3),
    recommendation_count int DEFAULT 0,
    data_from varchar(50) DEFAULT 'manual',
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX idx_shops_name_trgm ON chatbot.shops USING gin (shop_name public.gin_trgm_ops);

CREATE TABLE chatbot.menus (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_id int NOT NULL REFERENCES chatbot.shops (id) ON DELETE CASCADE,
    menu_name varchar(50) NOT NULL,
    price int NOT NULL CHECK (price >= 0),
    menu_description text,
    category varchar(30),
    options jsonb,
    is_available boolean DEFAULT TRUE,
    is_best boolean DEFAULT FALSE,
    dietary_info varchar(200),
    recommendation_frequency int DEFAULT 0,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    CONSTRAINT unique_menu UNIQUE (shop_id, menu_name)
);

CREATE TABLE chatbot.foodcard_users (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int NOT NULL UNIQUE REFERENCES chatbot.users (id) ON DELETE CASCADE,
    card_number varchar(30),
    card_type varchar(30),
    card_status varchar(20) DEFAULT 'ACTIVE',
    balance int DEFAULT 0 CHECK (balance >= 0),
    target_age_group varchar(20),
    balance_alert_threshold int DEFAULT 5000,
    balance_alert_sent boolean DEFAULT FALSE,
    last_sync_at timestamptz,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE chatbot.user_profiles (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int NOT NULL UNIQUE REFERENCES chatbot.users (id) ON DELETE CASCADE,
    preferred_categories text [],
    average_budget int,
    favorite_shops int [],
    conversation_style varchar(20),
    taste_preferences jsonb,
    companion_patterns text [],
    location_preferences text [],
    good_influence_preference numeric(3, 2),
    interaction_count int DEFAULT 0,
    data_completeness numeric(3, 2),
    recent_orders jsonb,
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP,
    updated_at timestamptz DEFAULT CURRENT_TIMESTAMP
);

CREATE TABLE chatbot.conversations (
    id bigint GENERATED ALWAYS AS IDENTITY,
    session_id uuid NOT NULL DEFAULT public.uuid_generate_v4(),
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    conversation_time timestamptz NOT NULL DEFAULT CURRENT_TIMESTAMP,
    input_text varchar(1000),
    response_text varchar(700),
    extracted_intent varchar(50) CHECK (
        extracted_intent IN (
            'FOOD_REQUEST', 'BUDGET_INQUIRY', 'COUPON_INQUIRY', 'LOCATION_INQUIRY', 'TIME_INQUIRY', 'GENERAL_CHAT',
            'MENU_OPTION', 'EMERGENCY_FOOD', 'GROUP_DINING', 'BALANCE_CHECK', 'BALANCE_CHARGE', 'UNKNOWN'
        )
    ),
    intent_confidence numeric(4, 3),
    emotion int,
    extracted_entities jsonb,
    conversation_turn int DEFAULT 1,
    previous_intent varchar(50),
    user_strategy varchar(20),
    processing_time_ms int,
    nlu_time_ms int,
    rag_time_ms int,
    response_time_ms int,
    response_quality_score numeric(4, 3),
    user_satisfaction_inferred numeric(4, 3),
    conversation_coherence numeric(4, 3),
    recommended_shop_ids int [],
    selected_shop_id int REFERENCES chatbot.shops (id),
    applied_coupon_ids text [],
    PRIMARY KEY (id, conversation_time),
    UNIQUE (session_id, conversation_time)
) PARTITION BY RANGE (conversation_time);
CREATE INDEX idx_conversations_user_time ON chatbot.conversations (user_id, conversation_time DESC);
CREATE TABLE chatbot.conversations_2024_08 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2024-08-01 00:00+09') TO ('2024-09-01 00:00+09');
CREATE TABLE chatbot.conversations_2024_09 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2024-09-01 00:00+09') TO ('2024-10-01 00:00+09');
CREATE TABLE chatbot.conversations_2024_10 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2024-10-01 00:00+09') TO ('2024-11-01 00:00+09');
CREATE TABLE chatbot.conversations_2024_11 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2024-11-01 00:00+09') TO ('2024-12-01 00:00+09');
CREATE TABLE chatbot.conversations_2025_01 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2025-01-01 00:00+09') TO ('2025-02-01 00:00+09');
CREATE TABLE chatbot.conversations_2025_02 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2025-02-01 00:00+09') TO ('2025-03-01 00:00+09');
CREATE TABLE chatbot.conversations_2025_03 PARTITION OF chatbot.conversations
FOR VALUES FROM ('2025-03-01 00:00+09') TO ('2025-04-01 00:00+09');

CREATE MATERIALIZED VIEW chatbot.recent_conversations AS
SELECT id, session_id, user_id, conversation_time, input_text, response_text
FROM chatbot.conversations
WHERE conversation_time > CURRENT_TIMESTAMP - interval '7 days';

CREATE TABLE ml_features.nlu_features (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id),
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
    created_at timestamptz DEFAULT CURRENT_TIMESTAMP
);

CREATE TYPE ml_features.interaction_type AS ENUM ('text_input', 'selection', 'feedback', 'coupon_use');

CREATE TABLE ml_features.user_interactions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id) ON DELETE CASCADE,
    session_id uuid,
    time_stamp timestamp DEFAULT CURRENT_TIMESTAMP,
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
CREATE INDEX idx_user_interactions_time ON ml_features.user_interactions (time_stamp);

CREATE TABLE analytics.recommendations_log (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int,
    shop_id int REFERENCES chatbot.shops (id),
    session_id uuid,
    time_stamp timestamp DEFAULT CURRENT_TIMESTAMP,
    request_food_type varchar(100),
    request_budget int,
    request_location varchar(100),
    recommendations jsonb NOT NULL,
    recommendation_count int NOT NULL,
    top_recommendation_shop_id int,
    user_selection json,
    selection_timestamp timestamp,
    recommendation_method varchar(50),
    confidence_score numeric(4, 3),
    wide_score numeric(4, 3),
    deep_score numeric(4, 3),
    rag_score numeric(4, 3)
);

CREATE TABLE analytics.user_feedback (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    session_id uuid,
    related_recommendation_id bigint REFERENCES analytics.recommendations_log (id),
    user_id int REFERENCES chatbot.users (id),
    time_stamp timestamp DEFAULT CURRENT_TIMESTAMP,
    feedback_type varchar(30),
    feedback_target_type varchar(30),
    feedback_target_id varchar(30),
    feedback_content jsonb,
    context jsonb
);

-- What clients call, with the signatures of then.
CREATE FUNCTION chatbot.get_shop_hours(shop_id int, day_name varchar DEFAULT 'monday') RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT s.business_hours ->> day_name FROM chatbot.shops AS s WHERE s.id = shop_id
$$;
CREATE FUNCTION chatbot.auto_delete_old_conversations() RETURNS void LANGUAGE sql AS $$
    DELETE FROM chatbot.conversations WHERE conversation_time < CURRENT_TIMESTAMP - interval '6 months'
$$;
