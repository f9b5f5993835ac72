-- Coupons, orders and reviews. Orders and reviews are records of the business: they outlive the user, without them.

CREATE TYPE chatbot.order_status AS ENUM ('confirmed', 'preparing', 'prepared', 'picked', 'canceled');
COMMENT ON TYPE chatbot.order_status IS 'How far an order has come.';

CREATE TABLE chatbot.coupons (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    coupon_name varchar(100) NOT NULL,
    coupon_code varchar(50) UNIQUE,
    coupon_type varchar(20) NOT NULL CHECK (coupon_type IN ('FIXED_AMOUNT', 'PERCENTAGE', 'FREEBIE', 'BOGO')),
    discount_amount int CHECK (discount_amount > 0),
    discount_rate numeric(4, 3) CHECK (discount_rate > 0 AND discount_rate <= 1),
    usage_type varchar(20) NOT NULL DEFAULT 'ALL'
    CHECK (usage_type IN ('ALL', 'SHOP', 'CATEGORY', 'FOODCARD', 'NEW_USER', 'LOYALTY')),
    shop_id int REFERENCES chatbot.shops (id) ON DELETE CASCADE,
    category varchar(20),
    min_order_amount int DEFAULT 0 CHECK (min_order_amount >= 0),
    max_discount_amount int CHECK (max_discount_amount > 0),
    total_limit int CHECK (total_limit > 0),
    per_user_limit int DEFAULT 1 CHECK (per_user_limit > 0),
    valid_from timestamptz NOT NULL DEFAULT now(),
    valid_until timestamptz NOT NULL,
    is_active boolean DEFAULT TRUE,
    created_at timestamptz DEFAULT now(),
    CHECK (valid_until > valid_from),
    CONSTRAINT coupons_amount_xor_rate_check CHECK (
        CASE coupon_type
            WHEN 'FIXED_AMOUNT' THEN discount_amount IS NOT NULL AND discount_rate IS NULL
            WHEN 'PERCENTAGE' THEN discount_rate IS NOT NULL AND discount_amount IS NULL
            ELSE discount_amount IS NULL AND discount_rate IS NULL
        END
    )
);
CREATE INDEX idx_coupons_shop ON chatbot.coupons (shop_id);
COMMENT ON TABLE chatbot.coupons IS 'Coupons that users can have. One row per kind of coupon.';
COMMENT ON COLUMN chatbot.coupons.discount_amount IS 'Won off, for FIXED_AMOUNT.';
COMMENT ON COLUMN chatbot.coupons.discount_rate IS 'Share off, 0 to 1, for PERCENTAGE.';
COMMENT ON COLUMN chatbot.coupons.shop_id IS 'The shop where it counts, for usage_type SHOP.';
COMMENT ON COLUMN chatbot.coupons.category IS 'The kind of food that it is for, for usage_type CATEGORY.';
COMMENT ON CONSTRAINT coupons_shop_id_fkey ON chatbot.coupons IS
'Cascades: a coupon of a shop is worth nothing without it. Refused once it was used: orders_coupons holds on to it.';

CREATE TABLE chatbot.user_wallet (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int NOT NULL REFERENCES chatbot.users (id) ON DELETE CASCADE,
    coupon_id int NOT NULL REFERENCES chatbot.coupons (id) ON DELETE CASCADE,
    coupon_status varchar(20) NOT NULL DEFAULT 'ACTIVE'
    CHECK (coupon_status IN ('ACTIVE', 'USED', 'EXPIRED', 'CANCELLED')),
    acquisition_source varchar(50),
    acquired_at timestamptz DEFAULT now(),
    used_at timestamptz
);
CREATE INDEX idx_user_wallet_user ON chatbot.user_wallet (user_id);
CREATE INDEX idx_user_wallet_coupon ON chatbot.user_wallet (coupon_id);
COMMENT ON TABLE chatbot.user_wallet IS 'Coupons that users have. One row per coupon handed out.';
COMMENT ON COLUMN chatbot.user_wallet.acquisition_source IS 'How the user came by it.';
COMMENT ON CONSTRAINT user_wallet_user_id_fkey ON chatbot.user_wallet IS 'Cascades: a wallet goes with its user.';
COMMENT ON CONSTRAINT user_wallet_coupon_id_fkey ON chatbot.user_wallet IS 'Cascades: a withdrawn coupon leaves wallets.';

CREATE TABLE chatbot.orders (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id) ON DELETE SET NULL,
    shop_id int NOT NULL REFERENCES chatbot.shops (id) ON DELETE RESTRICT,
    menu_id int REFERENCES chatbot.menus (id) ON DELETE SET NULL,
    order_status chatbot.order_status NOT NULL DEFAULT 'confirmed',
    order_time timestamptz NOT NULL DEFAULT now(),
    quantity int NOT NULL DEFAULT 1 CHECK (quantity > 0),
    price int NOT NULL CHECK (price >= 0),
    discount int NOT NULL DEFAULT 0 CHECK (discount >= 0)
);
CREATE INDEX idx_orders_user ON chatbot.orders (user_id);
CREATE INDEX idx_orders_shop ON chatbot.orders (shop_id);
CREATE INDEX idx_orders_menu ON chatbot.orders (menu_id);
COMMENT ON TABLE chatbot.orders IS 'Orders, a record of the business. One row per order and dish.';
COMMENT ON COLUMN chatbot.orders.price IS 'Price of one, in won, when it was ordered.';
COMMENT ON COLUMN chatbot.orders.discount IS 'What came off the whole order, in won.';
COMMENT ON CONSTRAINT orders_user_id_fkey ON chatbot.orders IS
'Set to NULL: sales stay in the books when a user is deleted, and no longer say whose they were.';
COMMENT ON CONSTRAINT orders_shop_id_fkey ON chatbot.orders IS
'Restricts: a shop that has sold something is closed, not deleted.';
COMMENT ON CONSTRAINT orders_menu_id_fkey ON chatbot.orders IS 'Set to NULL: dishes go off the menu; the order keeps its price.';

CREATE TABLE chatbot.orders_coupons (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id int NOT NULL REFERENCES chatbot.orders (id) ON DELETE CASCADE,
    coupon_id int NOT NULL REFERENCES chatbot.coupons (id) ON DELETE RESTRICT,
    discount int NOT NULL DEFAULT 0 CHECK (discount >= 0),
    UNIQUE (order_id, coupon_id)
);
CREATE INDEX idx_orders_coupons_coupon ON chatbot.orders_coupons (coupon_id);
COMMENT ON TABLE chatbot.orders_coupons IS 'Coupons that were used. One row per order and coupon.';
COMMENT ON COLUMN chatbot.orders_coupons.discount IS 'What the coupon took off, in won.';
COMMENT ON CONSTRAINT orders_coupons_order_id_fkey ON chatbot.orders_coupons IS 'Cascades: part of the order.';
COMMENT ON CONSTRAINT orders_coupons_coupon_id_fkey ON chatbot.orders_coupons IS
'Restricts: a coupon that was used explains what an order cost.';

CREATE TABLE chatbot.reviews (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id int REFERENCES chatbot.users (id) ON DELETE SET NULL,
    shop_id int NOT NULL REFERENCES chatbot.shops (id) ON DELETE CASCADE,
    order_id int REFERENCES chatbot.orders (id) ON DELETE SET NULL,
    rating int NOT NULL CHECK (rating BETWEEN 1 AND 5),
    review_comment text,
    created_at timestamptz DEFAULT now(),
    UNIQUE (user_id, order_id)
);
CREATE INDEX idx_reviews_shop ON chatbot.reviews (shop_id);
CREATE INDEX idx_reviews_order ON chatbot.reviews (order_id);
COMMENT ON TABLE chatbot.reviews IS 'Reviews of shops, a record of the business. At most one row per user and order.';
COMMENT ON CONSTRAINT reviews_user_id_fkey ON chatbot.reviews IS
'Set to NULL: what a shop was rated stays when a user is deleted, and no longer says by whom.';
COMMENT ON CONSTRAINT reviews_shop_id_fkey ON chatbot.reviews IS 'Cascades: a review says nothing without its shop.';
COMMENT ON CONSTRAINT reviews_order_id_fkey ON chatbot.reviews IS 'Set to NULL: the opinion outlives the order.';
