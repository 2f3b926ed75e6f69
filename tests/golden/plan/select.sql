CREATE SCHEMA sales;
CREATE STREAM sales.order_placed (
  order_id BIGINT NOT NULL, store_id INT NOT NULL, qty INT NOT NULL CHECK (qty > 0),
  net_amount NUMERIC(12,2) NOT NULL, placed_at TIMESTAMPTZ NOT NULL, booked_on DATE,
  customer STRUCT<name TEXT, address STRUCT<city TEXT, zip VARCHAR(10)>>,
  channel TEXT DEFAULT 'web', CHECK (net_amount >= 0 OR qty > 1),
  PRIMARY KEY (order_id), WATERMARK FOR placed_at AS placed_at - INTERVAL '5 seconds',
  EFFECTIVE TIME FOR booked_on)
WITH (owner = 'order-management', version = 1, compatibility = 'backward', retention = '30 days');
CREATE TABLE sales.store (store_id INT PRIMARY KEY, region TEXT, opened DATE);
CREATE TABLE sales.region (region TEXT PRIMARY KEY, manager VARCHAR(40));
SELECT * FROM sales.order_placed;
SELECT order_id, net_amount * qty AS total FROM sales.order_placed WHERE qty > 2 AND store_id = 5;
SELECT store_id, count(*), sum(net_amount) revenue, avg(qty), max(placed_at) FROM sales.order_placed GROUP BY store_id HAVING count(*) > 10 ORDER BY revenue DESC LIMIT 3;
SELECT upper(channel), count(*) FILTER (WHERE qty > 1), count(DISTINCT store_id) FROM sales.order_placed GROUP BY 1;
SELECT channel AS c, sum(qty) + 1 FROM sales.order_placed GROUP BY c;
SELECT o.order_id, s.region FROM sales.order_placed o JOIN sales.store s ON o.store_id = s.store_id WHERE s.region = 'north' AND o.qty > 1;
SELECT o.order_id, s.region FROM sales.order_placed o LEFT JOIN sales.store s ON o.store_id = s.store_id AND s.region <> 'x' AND o.qty > 1 WHERE o.qty > 3;
SELECT o.order_id, s.region FROM sales.store s RIGHT JOIN sales.order_placed o USING (store_id);
SELECT * FROM sales.store JOIN sales.region USING (region);
SELECT a.order_id FROM sales.order_placed a, sales.store b, sales.region c WHERE a.store_id = b.store_id AND b.region = c.region AND c.manager LIKE 'A%';
SELECT a.order_id FROM sales.order_placed a JOIN sales.store b ON a.order_id = b.store_id;
SELECT (customer).name, (o.customer).address.city, o.customer.address.zip FROM sales.order_placed o;
SELECT window_start, store_id, count(*) AS orders, sum(net_amount) FROM TUMBLE(sales.order_placed, placed_at, INTERVAL '1 minute') GROUP BY window_start, store_id;
SELECT window_end, count(*) FROM TABLE(TUMBLE(TABLE sales.order_placed, DESCRIPTOR(placed_at), INTERVAL '1' HOUR)) w WHERE w.qty > 1 GROUP BY window_end;
SELECT x.a FROM (SELECT store_id a, qty b FROM sales.order_placed) x WHERE x.b > 1;
WITH t AS (SELECT store_id, qty FROM sales.order_placed), u(s) AS (SELECT store_id FROM t WHERE qty > 1) SELECT s FROM u WHERE s < 10;
SELECT DISTINCT region FROM sales.store ORDER BY region DESC NULLS LAST;
SELECT store_id FROM sales.store UNION ALL SELECT order_id FROM sales.order_placed;
SELECT region FROM sales.store UNION SELECT NULL ORDER BY 1;
SELECT region FROM sales.store ORDER BY opened, store_id DESC LIMIT 5 OFFSET 2;
SELECT * FROM sales.store WHERE store_id = $1 AND region = $2 AND opened > $3 LIMIT $4;
SELECT CASE WHEN qty > 1 THEN 'many' ELSE 'one' END, CASE qty WHEN 1 THEN 1.5 WHEN 2 THEN 2 END, COALESCE(channel, 'none'), NULLIF(qty, 0), GREATEST(qty, 3) FROM sales.order_placed;
SELECT qty BETWEEN 1 AND 5, qty NOT IN (1, 2), channel ILIKE '%w%', channel IS NULL, booked_on IS DISTINCT FROM DATE '2024-01-01', NOT qty > 1 FROM sales.order_placed;
SELECT qty::text, CAST(qty AS NUMERIC(5,1)), '5'::int, net_amount::int8, qty = ANY('{1,2}'), qty = ANY(ARRAY[3,4]) FROM sales.order_placed;
SELECT extract(hour FROM placed_at), date_trunc('day', placed_at), placed_at AT TIME ZONE 'UTC', placed_at + INTERVAL '1 day' FROM sales.order_placed;
SELECT 1 + 2 * 3, 'a' || 'b', 1.5, 99999999999, true, NULL;
VALUES (1, 'a'), (2, NULL), (3.5, 'c');
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(n, s) WHERE n > 1;
SELECT s.region, (SELECT r.manager FROM sales.region r WHERE r.region = s.region) FROM sales.store s;
SELECT store_id FROM sales.store s WHERE EXISTS (SELECT 1 FROM sales.order_placed o WHERE o.store_id = s.store_id AND o.qty > 5);
SELECT store_id FROM sales.store s WHERE NOT EXISTS (SELECT 1 FROM sales.order_placed o WHERE o.store_id = s.store_id);
SELECT store_id FROM sales.store WHERE region IN (SELECT region FROM sales.region WHERE manager = 'Ada');
SELECT (SELECT count(*) FROM sales.store), order_id FROM sales.order_placed;
SELECT _offset, order_id FROM sales.order_placed WHERE _partition = 0;
INSERT INTO sales.store VALUES (1, 'north', '2020-01-01'), (2, DEFAULT, NULL);
INSERT INTO sales.order_placed (order_id, store_id, qty, net_amount, placed_at) VALUES ($1, $2, $3, $4, now());
INSERT INTO sales.store (region, store_id) SELECT 'south', order_id::int FROM sales.order_placed;
COPY (SELECT region FROM sales.store) TO STDOUT WITH (FORMAT csv, HEADER);
COPY sales.store TO STDOUT;
EXPLAIN SELECT 1;
TABLE sales.region;
SELECT -1, - 7, -(5), - - 5, -0, -99999999999, -1.5, 0, store_id - 1 FROM sales.store WHERE store_id > -3 ORDER BY 1 LIMIT 0;
SET extra_float_digits = -1;
SELECT (SELECT count(*) FROM sales.region r GROUP BY s.store_id + 1) FROM sales.store s;
SELECT (SELECT sum(o.qty + s.store_id) FROM sales.order_placed o) FROM sales.store s;
SELECT (SELECT count(*) FROM sales.order_placed o WHERE o.store_id = s.store_id) FROM sales.store s;
SELECT (SELECT o.qty FROM sales.order_placed o WHERE o.store_id = s.store_id) FROM sales.store s;
SELECT region, s.opened, r.manager FROM sales.store s FULL JOIN sales.region r USING (region);
SELECT s.opened, r.manager FROM sales.store s FULL JOIN sales.region r USING (region) WHERE r.manager LIKE 'A%';
SELECT s.opened, r.manager FROM sales.store s FULL JOIN sales.region r USING (region) WHERE r.manager LIKE 'A%' OR s.opened IS NULL;
SELECT * FROM sales.store NATURAL LEFT JOIN sales.region;
SELECT s.opened FROM sales.store s JOIN sales.region r ON s.region IS NOT DISTINCT FROM r.region AND upper(s.region) = lower(r.manager);
SELECT s.opened, r.manager FROM sales.store s RIGHT JOIN sales.region r ON s.region = r.region AND s.store_id > 5 AND r.manager > 'B';
SELECT s.opened, r.manager FROM sales.store s LEFT JOIN sales.region r ON false;
