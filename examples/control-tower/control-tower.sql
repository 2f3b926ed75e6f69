-- The control tower of a retailer: sixteen stores and a web shop, seen by four bounded contexts.
-- A context is a schema; its streams are the contracts with whoever sends the events, its views are
-- the figures that its people work with. `weir serve` takes this file as the wanted state: change
-- it, start again (or send SIGHUP), and what differs is made so.
--
-- Money is EUR. Times are UTC.

CREATE SCHEMA sales;
CREATE SCHEMA inventory;
CREATE SCHEMA fulfilment;
CREATE SCHEMA pricing;

-- ---- sales -------------------------------------------------------------------------------------

CREATE TABLE sales.store (
  store_id INT     NOT NULL,
  name     TEXT    NOT NULL,
  region   TEXT    NOT NULL CHECK (region IN ('north', 'south', 'east', 'west')),
  opened   DATE,
  offline  BOOLEAN NOT NULL DEFAULT false,
  PRIMARY KEY (store_id)
) WITH (owner = 'store-operations');
COMMENT ON TABLE sales.store IS 'Stores; changes when one loses or finds its connection';
COMMENT ON COLUMN sales.store.offline IS 'True while the tills keep their receipts to themselves';

CREATE TABLE sales.product (
  sku        TEXT          NOT NULL,
  name       TEXT          NOT NULL,
  category   TEXT          NOT NULL,
  list_price NUMERIC(10,2) NOT NULL CHECK (list_price > 0),
  unit_cost  NUMERIC(10,2) NOT NULL CHECK (unit_cost > 0),
  PRIMARY KEY (sku)
) WITH (owner = 'category-management');

CREATE TABLE sales.promotion (
  promo_id  TEXT         NOT NULL,
  name      TEXT         NOT NULL,
  category  TEXT         NOT NULL,
  discount  NUMERIC(4,2) NOT NULL CHECK (discount > 0 AND discount < 1),
  running   BOOLEAN      NOT NULL,
  starts_at TIMESTAMPTZ  NOT NULL,
  ends_at   TIMESTAMPTZ  NOT NULL,
  PRIMARY KEY (promo_id),
  CONSTRAINT promotion_ends_after_it_starts CHECK (ends_at > starts_at)
) WITH (owner = 'marketing');

CREATE STREAM sales.order_line (
  order_id   BIGINT        NOT NULL,
  line_no    INT           NOT NULL CHECK (line_no BETWEEN 1 AND 99),
  kind       TEXT          NOT NULL CHECK (kind IN ('sale', 'cancellation')),
  store_id   INT           NOT NULL,
  channel    TEXT          NOT NULL CHECK (channel IN ('till', 'web')),
  sku        TEXT          NOT NULL,
  qty        INT           NOT NULL,
  net_amount NUMERIC(12,2) NOT NULL,
  promo_id   TEXT,
  customer   STRUCT<segment TEXT, country TEXT, loyalty STRUCT<tier TEXT, points INT>>,
  placed_at  TIMESTAMPTZ   NOT NULL,
  PRIMARY KEY (order_id, line_no, kind),
  CONSTRAINT sign_fits_kind CHECK (
    (kind = 'sale' AND qty > 0 AND net_amount >= 0) OR
    (kind = 'cancellation' AND qty < 0 AND net_amount <= 0)),
  WATERMARK FOR placed_at AS placed_at - INTERVAL '30 seconds'
) WITH (owner = 'order-management', version = 1, compatibility = 'backward',
        retention = '30 days');
COMMENT ON STREAM sales.order_line IS
  'A line of a receipt or web order; a cancellation is a line with negative figures and its own time';
COMMENT ON COLUMN sales.order_line.net_amount IS 'EUR, excluding tax, after discounts';
COMMENT ON COLUMN sales.order_line.customer IS 'Only if a loyalty card was shown';

CREATE MATERIALIZED VIEW sales.revenue_1m
  WITH (refresh = '1 second', lateness = '1 hour', freshness = '10 seconds',
        owner = 'sales-controlling') AS
SELECT window_start,
       store_id,
       count(*) FILTER (WHERE kind = 'sale' AND line_no = 1) AS orders,
       sum(qty)                                              AS units,
       sum(net_amount)                                       AS revenue
FROM TUMBLE(sales.order_line, placed_at, INTERVAL '1 minute')
GROUP BY window_start, store_id;

CREATE MATERIALIZED VIEW sales.revenue_1d
  WITH (refresh = '1 second', lateness = '3 hours', freshness = '10 seconds',
        owner = 'sales-controlling') AS
SELECT window_start, -- it is what a row's standing goes by
       window_start::date                                    AS day,
       store_id,
       count(*) FILTER (WHERE kind = 'sale' AND line_no = 1) AS orders,
       sum(qty)                                              AS units,
       sum(net_amount)                                       AS revenue
FROM TUMBLE(sales.order_line, placed_at, INTERVAL '1 day')
GROUP BY window_start, store_id;

-- Summed before it is joined: when a promotion starts or stops, one row changes and not its history.
CREATE MATERIALIZED VIEW sales.promotion_performance_live
  WITH (refresh = '1 second', owner = 'marketing') AS
SELECT p.promo_id,
       p.name,
       p.category,
       p.discount,
       p.running,
       l.lines,
       l.cancelled_lines,
       l.units,
       l.revenue,
       l.last_sale_at
FROM (
  SELECT promo_id,
         count(*) FILTER (WHERE kind = 'sale')         AS lines,
         count(*) FILTER (WHERE kind = 'cancellation') AS cancelled_lines,
         sum(qty)                                      AS units,
         sum(net_amount)                               AS revenue,
         max(placed_at)                                AS last_sale_at
  FROM sales.order_line
  WHERE promo_id IS NOT NULL
  GROUP BY promo_id
) AS l
JOIN sales.promotion p ON p.promo_id = l.promo_id;

CREATE MATERIALIZED VIEW sales.loyalty_1h
  WITH (refresh = '5 seconds', lateness = '1 hour') AS
SELECT window_start,
       (customer).segment AS segment,
       count(*)           AS lines,
       sum(net_amount)    AS revenue,
       avg(net_amount)    AS line_mean
FROM TUMBLE(sales.order_line, placed_at, INTERVAL '1 hour')
WHERE (customer).segment IS NOT NULL
GROUP BY window_start, (customer).segment;

-- The books: each closed store-day against the file that the ERP writes. A day counts as closed when
-- its rows are not provisional any more, so that nothing is reported that may still come.
CREATE RECONCILIATION sales.daily_revenue_against_erp ON sales.revenue_1d
AGAINST (connector = 'file', path = 'exchange/erp_daily_revenue.csv', format = 'csv')
KEY (store_id, day)
COMPARE (revenue TOLERANCE 0.00, orders)
WHERE _status <> 'provisional'
EVERY '1 minute'
ON MISMATCH REPORT;

-- ---- inventory ---------------------------------------------------------------------------------

CREATE STREAM inventory.stock_entry (
  entry_id BIGINT      NOT NULL,
  sku      TEXT        NOT NULL,
  store_id INT         NOT NULL,
  entry    TEXT        NOT NULL
           CHECK (entry IN ('received', 'sold', 'reserved', 'released', 'shipped', 'counted')),
  qty      INT         NOT NULL CHECK (qty > 0 OR entry = 'counted'),
  order_id BIGINT,
  moved_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (entry_id),
  WATERMARK FOR moved_at AS moved_at - INTERVAL '30 seconds'
) WITH (owner = 'warehouse', retention = '30 days');
COMMENT ON COLUMN inventory.stock_entry.entry IS
  'reserved goes to released or shipped; counted is the signed difference that a stock-take found';

-- What may still be promised to a customer: what lies there, less what is promised already.
CREATE MATERIALIZED VIEW inventory.available_to_promise
  WITH (refresh = 'immediate', owner = 'warehouse') AS
SELECT store_id, sku, on_hand, reserved, on_hand - reserved AS available, last_moved_at
FROM (
  SELECT store_id, sku,
         coalesce(sum(qty) FILTER (WHERE entry IN ('received', 'counted')), 0)
           - coalesce(sum(qty) FILTER (WHERE entry IN ('sold', 'shipped')), 0)     AS on_hand,
         coalesce(sum(qty) FILTER (WHERE entry = 'reserved'), 0)
           - coalesce(sum(qty) FILTER (WHERE entry IN ('released', 'shipped')), 0) AS reserved,
         max(moved_at)                                                             AS last_moved_at
  FROM inventory.stock_entry
  GROUP BY store_id, sku
) AS stock;

-- Acted on as it happens: a row comes when the last piece goes and leaves when goods arrive.
CREATE MATERIALIZED VIEW inventory.stockout_alert
  WITH (refresh = 'immediate', owner = 'replenishment') AS
SELECT store_id, sku, available, on_hand, reserved
FROM inventory.available_to_promise
WHERE available <= 0;

CREATE SINK inventory.stockout_alert_file FROM inventory.stockout_alert
WITH (connector = 'file', path = 'exchange/stockout_alerts.ndjson', format = 'ndjson',
      emit = 'changes');

-- ---- fulfilment --------------------------------------------------------------------------------

CREATE STREAM fulfilment.milestone (
  order_id    BIGINT      NOT NULL,
  milestone   TEXT        NOT NULL
              CHECK (milestone IN ('paid', 'deadline', 'shipped', 'delivered', 'cancelled')),
  store_id    INT         NOT NULL,
  carrier     TEXT,
  happened_at TIMESTAMPTZ NOT NULL,
  PRIMARY KEY (order_id, milestone),
  WATERMARK FOR happened_at AS happened_at - INTERVAL '30 seconds'
) WITH (owner = 'logistics', retention = '30 days');
COMMENT ON COLUMN fulfilment.milestone.milestone IS
  'deadline: the time by which the order had to leave the house, whether or not it did';

CREATE MATERIALIZED VIEW fulfilment.exceptions
  WITH (refresh = '1 second', owner = 'customer-service') AS
SELECT order_id,
       max(store_id)                                             AS store_id,
       CASE WHEN count(*) FILTER (WHERE milestone = 'shipped') = 0
            THEN 'paid, not shipped'
            WHEN count(*) FILTER (WHERE milestone = 'cancelled') > 0
            THEN 'cancelled after shipping'
            ELSE 'shipped late' END                              AS problem,
       max(happened_at) FILTER (WHERE milestone = 'paid')        AS paid_at,
       max(happened_at) FILTER (WHERE milestone = 'deadline')    AS deadline_at,
       max(happened_at) FILTER (WHERE milestone = 'shipped')     AS shipped_at,
       max(happened_at) FILTER (WHERE milestone = 'cancelled')   AS cancelled_at
FROM fulfilment.milestone
GROUP BY order_id
HAVING (count(*) FILTER (WHERE milestone = 'deadline') > 0
        AND count(*) FILTER (WHERE milestone IN ('shipped', 'cancelled')) = 0)
    OR (max(happened_at) FILTER (WHERE milestone = 'shipped')
          > max(happened_at) FILTER (WHERE milestone = 'deadline'))
    OR (max(happened_at) FILTER (WHERE milestone = 'cancelled')
          > max(happened_at) FILTER (WHERE milestone = 'shipped'));

CREATE MATERIALIZED VIEW fulfilment.exceptions_by_store
  WITH (refresh = '1 second', owner = 'customer-service') AS
SELECT store_id, problem, count(*) AS orders, min(paid_at) AS oldest
FROM fulfilment.exceptions
GROUP BY store_id, problem;

-- ---- pricing -----------------------------------------------------------------------------------

-- Margin counts on the day for which finance books it, which need not be the day of the sale:
-- supplier bonuses and corrections come days later and count for the day they belong to.
CREATE STREAM pricing.margin_posting (
  posting_id BIGINT        NOT NULL,
  store_id   INT           NOT NULL,
  category   TEXT          NOT NULL,
  reason     TEXT          NOT NULL CHECK (reason IN ('sale', 'supplier bonus', 'correction')),
  revenue    NUMERIC(12,2) NOT NULL,
  cost       NUMERIC(12,2) NOT NULL,
  booked_on  DATE          NOT NULL,
  posted_at  TIMESTAMPTZ   NOT NULL,
  PRIMARY KEY (posting_id),
  WATERMARK FOR posted_at AS posted_at - INTERVAL '30 seconds',
  EFFECTIVE TIME FOR booked_on
) WITH (owner = 'finance', retention = '90 days');
COMMENT ON COLUMN pricing.margin_posting.booked_on IS 'Business-effective date';

CREATE MATERIALIZED VIEW pricing.regional_margin
  WITH (refresh = '1 second', owner = 'finance') AS
SELECT s.region,
       m.booked_on,
       sum(m.postings)              AS postings,
       sum(m.booked_back)           AS booked_back,
       sum(m.revenue)               AS revenue,
       sum(m.revenue) - sum(m.cost) AS margin
FROM (
  SELECT store_id,
         booked_on,
         count(*)                                            AS postings,
         count(*) FILTER (WHERE booked_on < posted_at::date) AS booked_back,
         sum(revenue)                                        AS revenue,
         sum(cost)                                           AS cost
  FROM pricing.margin_posting
  GROUP BY store_id, booked_on
) AS m
JOIN sales.store s ON s.store_id = m.store_id
GROUP BY s.region, m.booked_on;
