-- The UCI "Online Retail" lines: one event per invoice line, `seq` is the business key (equal lines
-- are real lines). Cancellations ('C' invoices) are lines with a negative quantity and their own,
-- later time, so sums over all lines are the net figures.
CREATE SCHEMA retail;

CREATE STREAM retail.line (
  seq          BIGINT        NOT NULL,
  invoice_no   TEXT          NOT NULL,
  stock_code   TEXT          NOT NULL,
  description  TEXT,
  quantity     INT           NOT NULL,
  invoice_date TIMESTAMP     NOT NULL,
  unit_price   NUMERIC(12,3) NOT NULL,
  customer_id  TEXT,
  country      TEXT          NOT NULL,
  PRIMARY KEY (seq),
  WATERMARK FOR invoice_date AS invoice_date - INTERVAL '1 hour'
) WITH (owner = 'order-management');

CREATE MATERIALIZED VIEW retail.totals WITH (refresh = '1 second') AS
SELECT count(*) AS n_rows,
       sum(quantity * unit_price) AS revenue,
       sum(quantity) AS qty,
       count(*) FILTER (WHERE customer_id IS NULL) AS rows_without_customer,
       count(*) FILTER (WHERE invoice_no LIKE 'C%') AS cancel_rows,
       count(*) FILTER (WHERE quantity < 0) AS negative_qty_rows,
       min(invoice_date) AS min_ts,
       max(invoice_date) AS max_ts
FROM retail.line;

CREATE MATERIALIZED VIEW retail.by_day WITH (refresh = '1 second', lateness = '7 days') AS
SELECT window_start::date AS day,
       count(*) AS n_rows,
       sum(quantity * unit_price) AS revenue,
       sum(quantity) AS qty,
       count(*) FILTER (WHERE invoice_no LIKE 'C%') AS cancel_rows
FROM TUMBLE(retail.line, invoice_date, INTERVAL '1 day')
GROUP BY window_start;

CREATE MATERIALIZED VIEW retail.by_hour WITH (refresh = '1 second', lateness = '7 days') AS
SELECT window_start AS hour,
       count(*) AS n_rows,
       sum(quantity * unit_price) AS revenue,
       sum(quantity) AS qty,
       count(*) FILTER (WHERE invoice_no LIKE 'C%') AS cancel_rows
FROM TUMBLE(retail.line, invoice_date, INTERVAL '1 hour')
GROUP BY window_start;

CREATE MATERIALIZED VIEW retail.by_country WITH (refresh = '1 second') AS
SELECT country,
       count(*) AS n_rows,
       sum(quantity * unit_price) AS revenue,
       sum(quantity) AS qty
FROM retail.line
GROUP BY country;

CREATE MATERIALIZED VIEW retail.by_stock WITH (refresh = '1 second') AS
SELECT stock_code AS stock,
       count(*) AS n_rows,
       sum(quantity) AS net_qty,
       sum(quantity * unit_price) AS revenue
FROM retail.line
GROUP BY stock_code;
