-- Users and shops, and what belongs to them. Section 3 of the database document, with the running system's columns.

ALTER DEFAULT PRIVILEGES IN SCHEMA chatbot, ml_features, analytics
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO yumai_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA chatbot, ml_features, analytics
GRANT USAGE, SELECT ON SEQUENCES TO yumai_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA extracts
GRANT SELECT ON TABLES TO yumai_analyst;

CREATE FUNCTION chatbot.set_updated_at() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := now();
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION chatbot.set_updated_at() IS 'Trigger: notes when a row was last changed.';

CREATE TABLE chatbot.users (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    external_user_id varchar(200) UNIQUE,
    platform varchar(50) DEFAULT 'web'
    CHECK (platform IN ('web', 'mobile_app', 'kakao', 'line', 'facebook', 'test')),
    user_name varchar(30),
    nickname varchar(30),
    email varchar(100) UNIQUE CHECK (email ~* '^[^@\s]+@[^@\s]+\.[^@\s]+$'),
    phone_number varchar(20),
    birthday date,
    current_address text,
    preferred_location varchar(50),
    user_status varchar(20) DEFAULT 'ACTIVE' CHECK (user_status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED', 'DELETED')),
    last_login_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
COMMENT ON TABLE chatbot.users IS 'People who talk to the chatbot. One row per person and platform account.';
COMMENT ON COLUMN chatbot.users.id IS 'Key of the user.';
COMMENT ON COLUMN chatbot.users.external_user_id IS 'The user''s id on the platform that they come from.';
COMMENT ON COLUMN chatbot.users.platform IS 'Where they talk to the chatbot.';
COMMENT ON COLUMN chatbot.users.user_name IS 'Real name. Personal data.';
COMMENT ON COLUMN chatbot.users.nickname IS 'How the chatbot addresses them. Personal data.';
COMMENT ON COLUMN chatbot.users.email IS 'E-mail address. Personal data.';
COMMENT ON COLUMN chatbot.users.phone_number IS 'Telephone number. Personal data.';
COMMENT ON COLUMN chatbot.users.birthday IS 'Date of birth. Personal data.';
COMMENT ON COLUMN chatbot.users.current_address IS 'Address. Personal data.';
COMMENT ON COLUMN chatbot.users.preferred_location IS 'Where they like to eat, such as a district or station.';
COMMENT ON COLUMN chatbot.users.user_status IS 'State of the account.';
COMMENT ON COLUMN chatbot.users.last_login_at IS 'When they were last seen.';
COMMENT ON COLUMN chatbot.users.created_at IS 'When the row was made.';
COMMENT ON COLUMN chatbot.users.updated_at IS 'When the row was last changed.';

CREATE TABLE chatbot.shops (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_name varchar(30) NOT NULL,
    category varchar(20) CHECK (
        category IN (
            '한식', '중식', '일식', '양식', '치킨', '피자', '패스트푸드', '분식', '카페/디저트', '도시락/죽', '프랜차이즈',
            '기타음식', '편의점'
        )
    ),
    address_name varchar(50),
    latitude numeric(8, 6) CHECK (latitude BETWEEN -90 AND 90),
    longitude numeric(9, 6) CHECK (longitude BETWEEN -180 AND 180),
    is_good_influence_shop boolean DEFAULT FALSE,
    is_food_card_shop char(1) DEFAULT 'U' CHECK (is_food_card_shop IN ('Y', 'N', 'P', 'U')),
    contact varchar(20),
    business_hours jsonb,
    current_status varchar(20) DEFAULT 'UNKNOWN' CHECK (current_status IN ('OPEN', 'CLOSED', 'BREAK_TIME', 'UNKNOWN')),
    popularity_score numeric(4, 3) CHECK (popularity_score BETWEEN 0 AND 1),
    quality_score numeric(4, 3) CHECK (quality_score BETWEEN 0 AND 1),
    recommendation_count int DEFAULT 0,
    data_from varchar(50) DEFAULT 'manual',
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX idx_shops_name_trgm ON chatbot.shops USING gin (shop_name public.gin_trgm_ops);
CREATE INDEX idx_shops_category ON chatbot.shops (category);
COMMENT ON TABLE chatbot.shops IS 'Restaurants, cafés and shops that the chatbot recommends. One row per shop.';
COMMENT ON COLUMN chatbot.shops.id IS 'Key of the shop.';
COMMENT ON COLUMN chatbot.shops.shop_name IS 'Name of the shop.';
COMMENT ON COLUMN chatbot.shops.category IS 'Kind of food, one of thirteen.';
COMMENT ON COLUMN chatbot.shops.address_name IS 'Address of the shop.';
COMMENT ON COLUMN chatbot.shops.latitude IS 'Degrees north, WGS 84.';
COMMENT ON COLUMN chatbot.shops.longitude IS 'Degrees east, WGS 84.';
COMMENT ON COLUMN chatbot.shops.is_good_influence_shop IS 'Whether it feeds children for free or less (선한영향력가게).';
COMMENT ON COLUMN chatbot.shops.is_food_card_shop IS 'Whether it takes the meal card (급식카드): Yes, No, Partly, Unknown.';
COMMENT ON COLUMN chatbot.shops.contact IS 'Telephone number of the shop.';
COMMENT ON COLUMN chatbot.shops.business_hours IS 'Hours by day of the week: {"monday": {"open": "11:00", "close": "21:00"}, …}.';
COMMENT ON COLUMN chatbot.shops.current_status IS 'Whether it is open.';
COMMENT ON COLUMN chatbot.shops.popularity_score IS 'How popular it is, 0 to 1.';
COMMENT ON COLUMN chatbot.shops.quality_score IS 'How good it is, 0 to 1.';
COMMENT ON COLUMN chatbot.shops.recommendation_count IS 'How often it was recommended.';
COMMENT ON COLUMN chatbot.shops.data_from IS 'Where the row comes from.';
COMMENT ON COLUMN chatbot.shops.created_at IS 'When the row was made.';
COMMENT ON COLUMN chatbot.shops.updated_at IS 'When the row was last changed.';

CREATE TABLE chatbot.menus (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    shop_id int NOT NULL REFERENCES chatbot.shops (id) ON DELETE CASCADE,
    menu_name varchar(50) NOT NULL,
    price int NOT NULL CHECK (price >= 0),
    menu_description text,
    category varchar(30) CHECK (category IN ('메인메뉴', '세트메뉴', '사이드메뉴', '음료', '디저트', '기타')),
    options jsonb,
    is_available boolean DEFAULT TRUE,
    is_best boolean DEFAULT FALSE,
    dietary_info varchar(200),
    recommendation_frequency int DEFAULT 0,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now(),
    UNIQUE (shop_id, menu_name)
);
COMMENT ON TABLE chatbot.menus IS 'What a shop offers. One row per shop and dish.';
COMMENT ON COLUMN chatbot.menus.price IS 'Price in won.';
COMMENT ON COLUMN chatbot.menus.options IS 'Choices such as size or spiciness.';
COMMENT ON COLUMN chatbot.menus.recommendation_frequency IS 'How often it was recommended.';
COMMENT ON CONSTRAINT menus_shop_id_fkey ON chatbot.menus IS 'Cascades: a dish is nothing without its shop.';

CREATE TABLE chatbot.foodcard_users (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int NOT NULL UNIQUE REFERENCES chatbot.users (id) ON DELETE CASCADE,
    card_number varchar(30),
    card_type varchar(30) CHECK (card_type IN ('아동급식카드', '청소년급식카드', '취약계층지원카드', '기타')),
    card_status varchar(20) DEFAULT 'ACTIVE'
    CHECK (card_status IN ('ACTIVE', 'INACTIVE', 'SUSPENDED', 'EXPIRED', 'LOST')),
    balance int DEFAULT 0 CHECK (balance >= 0),
    target_age_group varchar(20)
    CHECK (target_age_group IN ('초등학생', '중학생', '고등학생', '대학생', '청년', '기타')),
    balance_alert_threshold int DEFAULT 5000,
    balance_alert_sent boolean DEFAULT FALSE,
    last_sync_at timestamptz,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
COMMENT ON TABLE chatbot.foodcard_users IS 'Meal cards (급식카드). At most one row per user.';
COMMENT ON COLUMN chatbot.foodcard_users.card_number IS 'Number of the card. Personal data.';
COMMENT ON COLUMN chatbot.foodcard_users.balance IS 'Balance in won.';
COMMENT ON COLUMN chatbot.foodcard_users.balance_alert_threshold IS 'Balance in won below which the user is told.';
COMMENT ON CONSTRAINT foodcard_users_user_id_fkey ON chatbot.foodcard_users IS
'Cascades: the card is personal data of its user.';

CREATE TABLE chatbot.user_profiles (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int NOT NULL UNIQUE REFERENCES chatbot.users (id) ON DELETE CASCADE,
    preferred_categories text[],
    average_budget int,
    favorite_shops int[],
    conversation_style varchar(20),
    taste_preferences jsonb,
    companion_patterns text[],
    location_preferences text[],
    good_influence_preference numeric(3, 2),
    interaction_count int DEFAULT 0,
    data_completeness numeric(3, 2),
    recent_orders jsonb,
    created_at timestamptz DEFAULT now(),
    updated_at timestamptz DEFAULT now()
);
CREATE INDEX idx_user_profiles_preferred_categories ON chatbot.user_profiles USING gin (preferred_categories);
CREATE INDEX idx_user_profiles_favorite_shops ON chatbot.user_profiles USING gin (favorite_shops);
CREATE INDEX idx_user_profiles_companion_patterns ON chatbot.user_profiles USING gin (companion_patterns);
CREATE INDEX idx_user_profiles_location_preferences ON chatbot.user_profiles USING gin (location_preferences);
COMMENT ON TABLE chatbot.user_profiles IS 'What the chatbot has learned about a user. At most one row per user.';
COMMENT ON COLUMN chatbot.user_profiles.average_budget IS 'What a meal may cost, in won.';
COMMENT ON COLUMN chatbot.user_profiles.favorite_shops IS
'Ids of shops, without a foreign key: clean_invalid_shop_references() takes out those that are gone.';
COMMENT ON CONSTRAINT user_profiles_user_id_fkey ON chatbot.user_profiles IS
'Cascades: the profile is personal data of its user.';

CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.users
FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.shops
FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.menus
FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.foodcard_users
FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();
CREATE TRIGGER set_updated_at BEFORE UPDATE ON chatbot.user_profiles
FOR EACH ROW EXECUTE FUNCTION chatbot.set_updated_at();
