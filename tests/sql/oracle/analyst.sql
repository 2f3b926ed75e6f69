-- What analysts write, clause by clause and function by function: over the same kind of rows as
-- sales.sql. Queries whose output names repeat run ad hoc only.
CREATE STREAM sale (id INT NOT NULL, store INT, item TEXT, qty INT, net NUMERIC(12,2), ratio DOUBLE PRECISION, at TIMESTAMP, day DATE, paid BOOLEAN, PRIMARY KEY (id));
CREATE TABLE store (store INT NOT NULL, name TEXT, region TEXT, opened DATE, PRIMARY KEY (store));
CREATE STREAM note (store INT, body TEXT);

INSERT INTO sale VALUES
 (1, 6, 'it''s', NULL, 102.57, 0.25, '2026-01-02 03:23:30', '2026-02-18', NULL),
 (2, 5, 'Ünïcode', -2, 152.32, NULL, '2026-01-01 06:49:13', '2026-01-28', false),
 (3, 4, 'it''s', 3, 68.35, 0.25, '2026-01-03 09:52:38', '2026-02-03', false),
 (4, 8, NULL, -3, 67.19, 0.5, '2026-01-04 11:24:37', '2026-02-02', NULL),
 (5, 8, 'paper', 1, -14.60, -1.5, '2026-01-01 13:05:13', '2026-02-05', true),
 (6, 3, 'it''s', 8, 108.52, NULL, '2026-01-04 01:15:47', '2026-02-15', NULL),
 (1, 8, 'pen', 8, -6.50, 3.0, '2026-01-04 11:09:03', '2026-02-05', true),
 (8, 8, 'paper', 1, -2.00, 100.125, '2026-01-04 10:11:05', '2026-02-03', false),
 (9, 5, 'it''s', 4, 176.38, -1.5, '2026-01-01 15:35:49', '2026-02-15', false),
 (10, 7, 'pen', 8, 69.36, 100.125, '2026-01-02 06:53:23', '2026-02-10', NULL),
 (11, 7, '', 7, -40.95, 100.125, '2026-01-02 07:48:43', '2026-01-16', NULL),
 (12, 6, 'Ünïcode', -3, 65.04, NULL, '2026-01-02 07:45:57', '2026-02-13', false),
 (13, 6, '', -2, 117.98, 100.125, '2026-01-03 04:26:26', '2026-02-15', false),
 (3, 2, NULL, -2, 151.57, -1.5, '2026-01-04 13:27:14', '2026-02-23', true),
 (15, 5, NULL, 1, 43.84, 0.5, '2026-01-04 07:18:02', '2026-02-01', false),
 (16, 1, 'paper', 8, 46.07, 3.0, '2026-01-01 00:48:08', '2026-02-20', true),
 (17, NULL, 'paper', 7, 175.25, 0.5, '2026-01-04 19:36:44', '2026-02-28', false),
 (18, 4, 'Ünïcode', -2, -48.95, 3.0, '2026-01-04 09:09:10', '2026-02-11', false),
 (19, 2, 'paper', -2, -41.63, 3.0, '2026-01-04 22:31:03', '2026-01-08', true),
 (20, 5, 'Ünïcode', 6, NULL, NULL, '2026-01-01 21:24:47', '2026-01-19', false),
 (21, 7, 'it''s', 4, 165.00, 0.5, '2026-01-03 04:36:40', '2026-02-18', true),
 (22, 5, 'paper', -1, 71.63, 3.0, '2026-01-01 20:21:05', '2026-01-03', false),
 (23, 8, 'ink', -3, NULL, 0.25, '2026-01-04 21:50:14', '2026-01-22', NULL),
 (24, 6, 'paper', 6, 76.40, -1.5, '2026-01-04 11:33:02', '2026-01-24', NULL),
 (25, 4, 'Ünïcode', 4, NULL, 3.0, '2026-01-04 10:29:29', '2026-01-21', false);
INSERT INTO store VALUES (3, 'Linz', 'east', '1999-12-31'), (5, 'Wien', 'west', NULL), (8, 'Wien', 'east', '1999-12-31');
INSERT INTO note VALUES (1, 'b'), (3, 'b'), (1, 'c'), (1, 'c');
INSERT INTO sale VALUES
 (26, 3, 'it''s', 4, 188.97, 0.5, '2026-01-01 18:14:42', '2026-02-23', NULL),
 (27, 2, 'it''s', 0, 18.40, 100.125, '2026-01-03 00:29:03', NULL, false),
 (28, 4, NULL, NULL, 29.77, 3.0, '2026-01-01 01:16:53', NULL, true),
 (29, 7, NULL, 2, -21.56, 0.25, '2026-01-02 19:01:28', '2026-02-14', false),
 (30, 1, 'paper', 0, -4.55, 0.5, '2026-01-03 12:20:08', '2026-01-16', true),
 (22, 4, 'Ünïcode', -3, 43.72, NULL, '2026-01-03 12:48:49', '2026-02-21', true),
 (32, 1, 'it''s', -2, 75.30, NULL, '2026-01-02 04:16:31', NULL, NULL),
 (33, 3, 'Ünïcode', NULL, 122.83, -1.5, '2026-01-03 00:10:37', '2026-01-24', false),
 (34, 3, 'Ünïcode', -2, 96.08, 3.0, '2026-01-02 14:03:49', '2026-01-18', false),
 (35, 7, 'pen', -3, 27.27, -1.5, '2026-01-02 06:17:52', '2026-02-25', true),
 (36, 1, 'Ünïcode', -1, 110.60, 0.5, '2026-01-01 22:18:57', '2026-02-16', true),
 (37, 1, '', -1, -42.72, 0.5, '2026-01-04 16:30:34', '2026-02-15', true),
 (38, 6, 'ink', 5, NULL, 0.5, '2026-01-04 09:59:00', NULL, true),
 (23, 4, 'ink', 0, 128.24, 0.5, '2026-01-04 05:48:41', '2026-01-22', false),
 (40, 6, 'ink', 1, NULL, NULL, '2026-01-04 05:14:41', '2026-02-14', false),
 (20, 7, '', 2, -40.02, -1.5, '2026-01-02 13:12:20', NULL, NULL),
 (42, 2, 'Ünïcode', 0, 151.61, 3.0, '2026-01-01 06:43:10', '2026-02-05', true),
 (43, 6, 'pen', 5, 154.83, 0.5, '2026-01-01 06:13:20', '2026-02-22', true),
 (30, NULL, '', -1, 112.36, -1.5, '2026-01-01 15:48:46', '2026-01-04', false),
 (45, 6, 'paper', 7, -20.97, -1.5, '2026-01-01 16:27:03', '2026-01-09', NULL),
 (36, 8, 'pen', 3, NULL, -1.5, '2026-01-01 00:52:49', '2026-01-01', false),
 (47, NULL, 'pen', NULL, NULL, -1.5, '2026-01-04 16:01:03', '2026-02-28', true),
 (48, 7, 'Ünïcode', NULL, 197.80, -1.5, '2026-01-02 13:53:04', '2026-01-13', NULL),
 (49, 1, 'ink', NULL, 175.25, 3.0, '2026-01-02 20:01:47', '2026-02-20', false),
 (40, NULL, NULL, -1, 72.20, 0.25, '2026-01-01 09:07:06', '2026-02-10', false);
INSERT INTO store VALUES (4, 'Wien', 'west', '2020-02-29'), (5, 'Graz', NULL, '2020-02-29'), (8, 'Wien', NULL, NULL);
INSERT INTO note VALUES (1, 'a'), (1, 'a'), (4, 'a'), (5, 'c');
INSERT INTO sale VALUES
 (51, NULL, '', 8, 63.29, 100.125, '2026-01-04 03:41:07', '2026-02-19', false),
 (52, 3, NULL, NULL, 19.48, NULL, '2026-01-03 17:23:53', NULL, true),
 (53, NULL, NULL, 2, 72.60, -1.5, '2026-01-04 04:47:07', '2026-01-21', true),
 (54, 5, 'Ünïcode', -1, NULL, -1.5, '2026-01-01 14:02:44', '2026-02-22', NULL),
 (55, 7, '', 6, 178.11, 0.5, '2026-01-01 01:04:45', '2026-01-21', NULL),
 (56, 5, NULL, 2, 113.19, 0.25, '2026-01-03 10:39:13', '2026-01-12', false),
 (57, 7, 'pen', -1, 96.52, -1.5, '2026-01-02 13:17:36', '2026-01-18', true),
 (58, 6, 'ink', 3, 119.16, 0.5, '2026-01-01 22:49:07', '2026-01-28', NULL),
 (25, 3, 'it''s', -2, 57.90, NULL, '2026-01-03 13:55:26', '2026-02-03', true),
 (60, 7, NULL, NULL, 135.13, 0.5, '2026-01-03 11:04:29', '2026-01-25', NULL),
 (35, 7, 'paper', 4, NULL, 100.125, '2026-01-02 12:42:40', '2026-01-11', NULL),
 (62, 8, '', 6, 33.82, -1.5, '2026-01-04 22:38:06', '2026-01-15', true),
 (63, 4, 'ink', 1, 171.77, 3.0, '2026-01-03 20:22:44', '2026-01-07', false),
 (64, 8, '', 1, -31.04, 0.25, '2026-01-03 13:23:49', '2026-01-25', NULL),
 (40, 7, 'Ünïcode', 6, 61.36, 100.125, '2026-01-01 05:36:31', '2026-02-25', NULL),
 (66, 8, 'it''s', -1, 28.04, 3.0, '2026-01-04 13:41:55', '2026-02-01', true),
 (67, 6, 'paper', -2, 145.54, 3.0, NULL, '2026-02-02', true),
 (68, 8, 'Ünïcode', NULL, 179.07, 100.125, '2026-01-02 00:41:56', '2026-01-03', NULL),
 (69, 2, NULL, NULL, 11.44, 3.0, '2026-01-01 12:44:12', '2026-02-15', true),
 (70, 4, 'it''s', -2, 88.45, 3.0, '2026-01-04 23:12:12', '2026-02-23', NULL),
 (71, 3, 'ink', 3, -2.86, NULL, '2026-01-02 22:27:06', '2026-02-27', false),
 (72, 8, 'ink', 8, 198.04, -1.5, '2026-01-04 10:38:34', '2026-02-14', true),
 (73, 2, 'Ünïcode', 7, NULL, -1.5, '2026-01-03 11:54:49', '2026-02-21', true),
 (74, NULL, '', 0, -0.48, 100.125, '2026-01-01 21:33:15', '2026-01-19', false),
 (75, 6, NULL, 2, 66.71, 3.0, '2026-01-04 10:02:43', '2026-01-20', false);
INSERT INTO store VALUES (5, 'Graz', NULL, '1999-12-31'), (6, 'Wien', NULL, '1999-12-31'), (8, 'Graz', 'south', '2020-02-29');
INSERT INTO note VALUES (4, 'b'), (1, 'b'), (3, 'b'), (5, 'c');

-- adhoc
SELECT store, count(*), sum(net), avg(net), min(net), max(net), avg(qty), sum(qty), avg(ratio), sum(ratio) FROM sale GROUP BY store ORDER BY store;
SELECT store, sum(net) AS s FROM sale GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1;
SELECT store, sum(net) AS s FROM sale GROUP BY 1 ORDER BY s DESC;
SELECT store, sum(net) AS s FROM sale GROUP BY 1 ORDER BY s ASC NULLS FIRST, store DESC NULLS LAST LIMIT 3 OFFSET 2;
SELECT store, net / nullif(qty, 0) AS per FROM sale ORDER BY id;
-- adhoc
SELECT id, net / 3, net * 1.5, net - 0.001, -net, abs(net), round(net), round(net,1), round(net/7,3), trunc(net/7,2), ceil(net), floor(net), sign(net), mod(net, 7) FROM sale ORDER BY id;
-- adhoc
SELECT id, qty/2, qty%3, qty*qty, -qty, abs(qty), qty::numeric/3, qty/3.0, qty::float8/3, power(qty,2), sqrt(abs(qty)) FROM sale ORDER BY id;
-- adhoc
SELECT id, ratio, ratio::numeric, ratio::int, ratio::text, round(ratio::numeric,1), ratio*qty, ratio+net FROM sale ORDER BY id;
-- adhoc
SELECT id, date_trunc('hour', at), date_trunc('day', at), date_trunc('week', at), date_trunc('month', at), date_trunc('quarter', at), date_trunc('year', at), date_trunc('minute', at), date_trunc('month', day) FROM sale ORDER BY id;
-- adhoc
SELECT id, extract(hour from at), extract(dow from at), extract(isodow from at), extract(doy from at), extract(week from at), extract(month from day), extract(quarter from at), extract(epoch from at), extract(second from at), extract(year from day), date_part('hour', at), extract(isoyear from at), extract(century from at), extract(milliseconds from at) FROM sale ORDER BY id;
-- adhoc
SELECT id, at + interval '1 month', at - interval '1 day 2 hours', day + 1, day - 7, day + interval '1 day', at::date, at::time, day::timestamp, at - timestamp '2026-01-01', day - date '2026-01-01', age(at, timestamp '2025-01-01'), at::date - day FROM sale ORDER BY id;
-- adhoc
SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI:SS'), to_char(at, 'Dy DD Mon'), to_char(at,'FMMonth FMDD, YYYY HH12:MI AM'), to_char(net, '9990.00'), to_char(net,'FM999,990.0'), to_char(day, 'IYYY-IW'), to_char(qty, '000'), to_char(at, 'Q J D ID') FROM sale ORDER BY id;
SELECT id FROM sale WHERE item LIKE 'p%' ORDER BY id;
SELECT id FROM sale WHERE item NOT LIKE '%n' ORDER BY id;
SELECT id FROM sale WHERE item ILIKE 'P_N' ORDER BY id;
SELECT id FROM sale WHERE item ~ '^p' ORDER BY id;
SELECT id FROM sale WHERE item !~* 'N$' ORDER BY id;
-- adhoc
SELECT id, regexp_replace(item,'[aeiou]','_','g'), regexp_replace(item, '(p)(.)', '\2\1') FROM sale ORDER BY id;
-- adhoc
SELECT id, item LIKE '_n%', item LIKE '%''%' FROM sale ORDER BY id;
SELECT id FROM sale WHERE qty BETWEEN 2 AND 4 ORDER BY id;
SELECT id FROM sale WHERE qty NOT BETWEEN 2 AND 4 ORDER BY id;
SELECT id FROM sale WHERE qty BETWEEN SYMMETRIC 4 AND 2 ORDER BY id;
SELECT id FROM sale WHERE day BETWEEN '2026-01-10' AND '2026-01-20' ORDER BY id;
SELECT id FROM sale WHERE store IN (1,2,NULL) ORDER BY id;
SELECT id FROM sale WHERE store NOT IN (1,2) ORDER BY id;
SELECT id FROM sale WHERE store NOT IN (1,2,NULL) ORDER BY id;
SELECT id FROM sale WHERE item IN ('pen','ink') AND paid IS NOT TRUE ORDER BY id;
SELECT id FROM sale WHERE store = ANY('{1,2}') ORDER BY id;
SELECT id FROM sale WHERE store = ANY(ARRAY[1,2]) ORDER BY id;
SELECT id FROM sale WHERE store <> ALL(ARRAY[1,2]) ORDER BY id;
SELECT id FROM sale WHERE store IN (SELECT store FROM store WHERE region = 'east') ORDER BY id;
SELECT id FROM sale WHERE store NOT IN (SELECT store FROM store WHERE region = 'east') ORDER BY id;
SELECT id FROM sale s WHERE EXISTS (SELECT 1 FROM store t WHERE t.store = s.store AND t.region IS NOT NULL) ORDER BY id;
SELECT id FROM sale s WHERE NOT EXISTS (SELECT 1 FROM store t WHERE t.store = s.store) ORDER BY id;
SELECT id, (SELECT name FROM store t WHERE t.store = s.store) FROM sale s ORDER BY id;
SELECT id, net - (SELECT avg(net) FROM sale) FROM sale ORDER BY id;
SELECT id, net > (SELECT max(net)/2 FROM sale) FROM sale ORDER BY id;
SELECT id, CASE WHEN net > 100 THEN 'big' WHEN net > 0 THEN 'small' ELSE 'neg' END FROM sale ORDER BY id;
SELECT id, CASE item WHEN 'pen' THEN 1 WHEN 'ink' THEN 2 END FROM sale ORDER BY id;
-- adhoc
SELECT id, CASE WHEN qty > 0 THEN net ELSE 0 END, CASE WHEN qty > 0 THEN 1 ELSE 2.5 END, CASE WHEN paid THEN qty ELSE NULL END FROM sale ORDER BY id;
-- adhoc
SELECT sum(CASE WHEN paid THEN net ELSE 0 END), sum(net) FILTER (WHERE paid), count(*) FILTER (WHERE qty > 2), count(item), count(DISTINCT item), sum(DISTINCT qty) FROM sale;
-- adhoc
SELECT id, coalesce(qty,0), coalesce(item,'?'), coalesce(net, ratio::numeric, 0), nullif(item,''), greatest(qty, store), least(qty,store,NULL), greatest(net, 50), coalesce(day, at::date) FROM sale ORDER BY id;
-- adhoc
SELECT id, net::int, net::text, net::float8, qty::text, qty::bigint, paid::text, paid::int, item::varchar(2), day::text, at::text, (net::int)::boolean, '12'::int + qty, cast(net as numeric(8,1)), net::numeric(20,4) FROM sale ORDER BY id;
-- adhoc
SELECT id, qty IS NULL, qty IS NOT DISTINCT FROM store, qty IS DISTINCT FROM 3, paid IS TRUE, paid IS NOT FALSE, paid IS UNKNOWN, NOT paid, paid AND qty > 1, paid OR qty > 1 FROM sale ORDER BY id;
SELECT region, count(*) FROM sale LEFT JOIN store USING (store) GROUP BY region ORDER BY region NULLS FIRST;
SELECT s.id, t.name FROM sale s LEFT JOIN store t ON t.store = s.store AND t.region = 'east' ORDER BY s.id;
SELECT t.store, t.name, count(s.id), coalesce(sum(s.net),0) FROM store t LEFT JOIN sale s ON s.store = t.store GROUP BY t.store, t.name ORDER BY 1;
SELECT * FROM sale JOIN store USING (store) ORDER BY id;
-- adhoc
SELECT * FROM store t RIGHT JOIN sale s ON s.store = t.store ORDER BY s.id;
-- adhoc
SELECT a.id, b.id FROM sale a JOIN sale b ON a.store = b.store AND a.id < b.id AND a.item = b.item ORDER BY 1,2;
SELECT count(*) FROM sale CROSS JOIN store;
SELECT count(*) FROM sale, store WHERE sale.store = store.store;
SELECT x.store, x.total FROM (SELECT store, sum(net) AS total FROM sale GROUP BY store) x WHERE x.total > 300 ORDER BY 2 DESC;
SELECT avg(total), max(total) FROM (SELECT store, sum(net) AS total FROM sale GROUP BY store) x;
WITH t AS (SELECT store, sum(net) AS total FROM sale GROUP BY store) SELECT t.*, s.name FROM t LEFT JOIN store s USING (store) ORDER BY total DESC NULLS LAST;
SELECT store, count(*) FROM sale GROUP BY store HAVING count(*) > 10 ORDER BY 1;
SELECT store, count(*) FROM sale GROUP BY store HAVING sum(net) > 300 AND bool_or(paid) ORDER BY count(*) DESC, store;
-- adhoc
SELECT bool_and(paid), bool_or(paid), every(qty > -5), min(item), max(item), min(at), max(day), min(paid::int) FROM sale;
SELECT DISTINCT store, paid FROM sale ORDER BY 1, 2;
SELECT DISTINCT item FROM sale ORDER BY item DESC NULLS LAST;
SELECT date_trunc('day', at) AS d, item, sum(net) FROM sale GROUP BY d, item ORDER BY d, item;
SELECT date_trunc('day', at)::date AS d, count(*) FROM sale GROUP BY 1 ORDER BY 1;
SELECT extract(hour from at) AS h, count(*) FROM sale GROUP BY 1 ORDER BY 1;
SELECT to_char(at,'YYYY-MM') m, sum(qty) FROM sale GROUP BY m ORDER BY m;
SELECT store % 2 AS odd, round(avg(net),2) FROM sale GROUP BY store % 2 ORDER BY odd;
SELECT store, 100 * count(*) FILTER (WHERE paid) / count(*) AS pct, count(*) FILTER (WHERE paid)::numeric / count(*) FROM sale GROUP BY store ORDER BY 1;
SELECT window_start, count(*), sum(net) FROM TUMBLE(sale, at, INTERVAL '1 day') GROUP BY window_start ORDER BY 1;
SELECT window_start, window_end, store, count(*) FROM TUMBLE(sale, at, INTERVAL '6 hours') GROUP BY 1,2,3 ORDER BY 1,3;
SELECT id FROM sale ORDER BY net DESC NULLS LAST, id LIMIT 5;
SELECT id FROM sale ORDER BY net DESC, id LIMIT 5;
SELECT id, net FROM sale ORDER BY net + coalesce(qty,0), id LIMIT 7 OFFSET 3;
SELECT id, net AS x FROM sale ORDER BY x NULLS FIRST, id FETCH FIRST 5 ROWS ONLY;
SELECT item, id FROM sale ORDER BY lower(item) DESC, id;
SELECT store FROM sale UNION ALL SELECT store FROM store ORDER BY 1;
SELECT store FROM sale UNION SELECT store FROM store ORDER BY 1;
SELECT count(*) FROM (SELECT store, item FROM sale UNION ALL SELECT store, body FROM note) u;
SELECT 'total' AS store, sum(net) FROM sale UNION ALL SELECT store::text, sum(net) FROM sale GROUP BY store ORDER BY 1;
-- adhoc
SELECT max(net) - min(net), count(*)::int, sum(qty)::float8/count(*), sum(net)/count(net) FROM sale;
-- adhoc
SELECT 1/3.0, 2/3, 10::numeric/3, 1e10/3, 0.1+0.2, 0.1::float8+0.2::float8, 7 % -3, -7 / 2, -7 % 2, 2^10, 10^(-2), 5!=4, |/ 16.0, @ -5;
-- adhoc
SELECT '2026-01-31'::date + interval '1 month', '2026-03-31 12:00'::timestamp - interval '1 month', interval '1 day' * 2.5, interval '90 minutes', justify_hours(interval '30 hours'), extract(epoch from interval '1 day 1 hour'), interval '1 year 2 months' / 2;
-- adhoc
SELECT null + 1, null || 'a', null = null, null is null, 'a' < 'B', 'a' < 'b', '' = ' ', 'ä' > 'z', true > false, null and false, null or true;
-- adhoc
SELECT '{"a":{"b":[1,2,{"c":null}]}}'::jsonb -> 'a' -> 'b' ->> 1, '{"a":1}'::jsonb ->> 'a', '{"a":1}'::jsonb @> '{"a":1}', '[1,2]'::jsonb -> 0, '{"a":{"b":5}}'::jsonb #>> '{a,b}', jsonb_typeof('[1]'), jsonb_array_length('[1,2]'), '{"a":1}'::jsonb ? 'a', '{"a":1}'::jsonb || '{"b":2}';
-- adhoc
SELECT length('äöü'), upper('äöüß'), lower('ÄÖÜ'), initcap('hello wORLD-x'), substring('abc' from 0 for 2), substring('hello' from 'l+'), left('abc',-1), right('abc',-1), lpad('abc',2), trim('  x '), rtrim('xx  '), position('' in 'abc'), split_part('a,b,c',',',-1), split_part('a,b',',',5), strpos('äb','b');
-- adhoc
SELECT id, at AT TIME ZONE 'UTC', at AT TIME ZONE 'Europe/Berlin', (at AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York' FROM sale ORDER BY id LIMIT 5;
-- adhoc
SELECT timestamptz '2026-07-01 12:00+02', timestamptz '2026-07-01 12:00 Europe/Berlin', '2026-07-01T12:00:00.123456Z'::timestamptz, extract(timezone from timestamptz '2026-01-01 00:00+00'), date_trunc('day', timestamptz '2026-07-01 23:00+00', 'Europe/Berlin');
-- adhoc
SELECT 'infinity'::timestamp, '-infinity'::date, 'epoch'::timestamp, 'NaN'::float8, 'Infinity'::float8, 'NaN'::float8 = 'NaN'::float8, '1e3'::float8, ' 42 '::int, '0x1'::text, 'yes'::bool, 'off'::bool, 't'::bool;
-- adhoc
SELECT count(*), count(store), count(DISTINCT store), sum(1), sum(NULL::int), avg(NULL::numeric), max(NULL::text) FROM sale WHERE id < 0;
SELECT store, count(*) FROM sale WHERE id < 0 GROUP BY store;
-- adhoc
SELECT sum(qty * net), avg(qty * 1.0), sum(net)::numeric(10,1), round(sum(net) / nullif(sum(qty),0), 4) FROM sale;
SELECT store, min(item) FILTER (WHERE qty > 3), max(net) FILTER (WHERE paid) FROM sale GROUP BY store ORDER BY store;
SELECT upper(item) AS u, count(*) FROM sale GROUP BY u HAVING count(*) > 3 ORDER BY u NULLS LAST;
SELECT upper(item), count(*) FROM sale GROUP BY upper(item) ORDER BY upper(item);
SELECT qty AS store, count(*) AS c FROM sale GROUP BY store, qty ORDER BY store, c;
SELECT s.* FROM sale s WHERE s.net = (SELECT max(net) FROM sale);
SELECT s.store, n.body FROM sale s JOIN note n ON n.store = s.store WHERE s.id < 20 ORDER BY 1,2;
SELECT s.id FROM sale s JOIN store t ON t.store = s.store JOIN note n ON n.store = t.store WHERE n.body = 'a' ORDER BY 1;
-- adhoc
SELECT a.store, b.store FROM store a LEFT JOIN store b ON a.store = b.store + 1 ORDER BY 1;
SELECT s.id, t.name FROM sale s LEFT JOIN store t USING (store) WHERE t.name IS NULL ORDER BY 1;
SELECT * FROM (VALUES (1,'a'),(2,NULL),(3,'c')) AS v(n, t) ORDER BY n DESC;
SELECT v.t, count(s.id) FROM (VALUES (1,'one'),(2,'two'),(99,'none')) AS v(n,t) LEFT JOIN sale s ON s.store = v.n GROUP BY v.t ORDER BY 1;
SELECT id FROM sale WHERE at >= '2026-01-03' AND at < '2026-01-04' ORDER BY id;
SELECT id FROM sale WHERE at::date = '2026-01-03' ORDER BY id;
SELECT id FROM sale WHERE day IS NULL OR day > at::date ORDER BY id;
SELECT id FROM sale WHERE net > 100 AND NOT (item = 'pen' OR item IS NULL) ORDER BY id;
SELECT id FROM sale WHERE paid ORDER BY id;
SELECT id FROM sale WHERE paid = false ORDER BY id;
SELECT id FROM sale WHERE paid <> true ORDER BY id;
SELECT id FROM sale WHERE 'pen' = item ORDER BY id;
SELECT id FROM sale WHERE net = '102.57';
SELECT id FROM sale WHERE net = 102.57::float8;
SELECT id FROM sale WHERE id = 1.0;
SELECT id FROM sale WHERE length(item) > 3 AND item > 'i' ORDER BY id;
-- adhoc
SELECT concat('a', NULL, 1, true, 1.5), 'x' || 1, 1 || 'x', 'a' || NULL, concat_ws(',', 'a', NULL, 'b'), format('%I %L %s', 'a b', 'it''s', 5);
-- adhoc
SELECT CAST('1' AS int) + '2', '5' * 2, '2026-01-01' > date '2025-01-01', '3'::numeric = 3, 1 = 1.0, 'abc' = 'abc ';
SELECT sum(net) AS "Total Net", count(*) "n" FROM sale;
-- adhoc
SELECT sale.store, sale.* FROM sale WHERE id = 2;
SELECT (SELECT count(*) FROM sale) AS a, (SELECT count(*) FROM store) AS b;
SELECT store.name, sale.item FROM store, sale WHERE sale.store = store.store AND sale.id = 2;
SELECT store, name FROM store WHERE opened > '2000-01-01' OR opened IS NULL ORDER BY opened DESC NULLS LAST, store;
-- adhoc
SELECT max(at)::date - min(at)::date, max(at) - min(at) FROM sale;
SELECT store, count(*) c FROM sale GROUP BY store ORDER BY count(*) DESC, store NULLS LAST;
SELECT store, count(*) c, sum(net)/count(*) FROM sale GROUP BY store ORDER BY -count(*), store;
SELECT store, round(100.0 * sum(net) / (SELECT sum(net) FROM sale), 1) AS pct FROM sale GROUP BY store;
SELECT sum(net) / (SELECT count(*) FROM store) AS a FROM sale;
SELECT sum(net) AS b, (SELECT count(*) FROM store) AS a FROM sale WHERE id < 0;
SELECT store, count(*) AS n FROM sale GROUP BY store HAVING sum(net) > (SELECT avg(net) * 10 FROM sale);
SELECT count(*) AS n FROM sale HAVING sum(net) > (SELECT avg(net) FROM sale);
SELECT store, (SELECT name FROM store t WHERE t.store = s.store) AS name, count(*) AS n FROM sale s GROUP BY store;
SELECT (SELECT name FROM store t WHERE t.store = s.store) AS name, count(*) AS n FROM sale s GROUP BY name;
SELECT store, sum(net) - (SELECT sum(net) FROM sale) AS a, sum(qty) - (SELECT sum(qty) FROM sale) AS b, (SELECT max(name) FROM store) AS c FROM sale GROUP BY store;
SELECT (SELECT max(net) FROM sale) AS m, count(*) AS n FROM sale GROUP BY 1;
SELECT t.store, t.name, t.region, count(*) AS n, sum(s.net) AS net FROM store t JOIN sale s ON s.store = t.store GROUP BY t.store;
SELECT t.store, upper(t.name) AS u, count(s.id) AS n FROM store t LEFT JOIN sale s USING (store) GROUP BY t.store HAVING t.region IS NOT NULL;
SELECT t.name, count(*) AS n FROM sale s LEFT JOIN store t ON s.store = t.store GROUP BY t.store;
SELECT id, net, item FROM sale GROUP BY id;
SELECT store.*, count(*) AS n FROM store, note WHERE note.store = store.store GROUP BY store.store;
