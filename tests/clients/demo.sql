-- What the client tests are served.
CREATE SCHEMA sales;
CREATE STREAM sales.order_placed (
  order_id   BIGINT        NOT NULL,
  store_id   INT           NOT NULL,
  qty        INT           NOT NULL CHECK (qty > 0),
  net_amount NUMERIC(12,2) NOT NULL,
  placed_at  TIMESTAMPTZ   NOT NULL,
  note       TEXT,
  PRIMARY KEY (order_id),
  WATERMARK FOR placed_at AS placed_at - INTERVAL '5 seconds'
) WITH (owner = 'order-management', version = 1, retention = '30 days');
COMMENT ON COLUMN sales.order_placed.net_amount IS 'EUR, excluding tax, after discounts';
CREATE TABLE sales.store (store_id INT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (store_id));
CREATE MATERIALIZED VIEW sales.revenue_1m WITH (refresh = 'immediate', lateness = '1 hour') AS
SELECT window_start, store_id, count(*) AS orders, sum(net_amount) AS revenue
FROM TUMBLE(sales.order_placed, placed_at, INTERVAL '1 minute') GROUP BY window_start, store_id;
CREATE MATERIALIZED VIEW sales.by_store WITH (refresh = 'immediate') AS
SELECT o.store_id, s.name, count(*) AS orders, sum(o.net_amount) AS revenue
FROM sales.order_placed AS o LEFT JOIN sales.store AS s ON s.store_id = o.store_id GROUP BY o.store_id, s.name;
CREATE STREAM sales.many (n BIGINT NOT NULL);
CREATE MATERIALIZED VIEW sales.all_types WITH (refresh = 'immediate') AS
SELECT order_id, qty::smallint AS i2, qty AS i4, net_amount AS n, net_amount::real AS r, net_amount::double precision AS d,
       qty > 1 AS b, note AS t, placed_at AS z, placed_at::date AS day
FROM sales.order_placed;
