-- Every clause that views have.
\ir rows/sales.sql

INSERT INTO sale VALUES
 (76, 1, 'it''s', 6, 197.53, NULL, '2026-01-01 09:40:18', '2026-01-02', NULL),
 (77, 7, '', -3, 105.48, NULL, '2026-01-04 08:23:58', '2026-01-13', false),
 (78, 8, 'pen', NULL, 173.97, -1.5, '2026-01-02 13:58:39', '2026-01-10', true),
 (79, 4, '', -3, 131.70, -1.5, NULL, NULL, false),
 (80, 4, 'paper', 0, NULL, 0.5, '2026-01-01 22:19:07', '2026-01-21', false),
 (81, 3, NULL, -1, 110.90, -1.5, '2026-01-02 01:46:47', '2026-01-13', true),
 (82, NULL, 'pen', -2, 54.77, 100.125, '2026-01-01 18:20:33', '2026-02-09', false),
 (83, 4, 'ink', -2, 17.26, 100.125, '2026-01-02 06:48:58', '2026-02-08', false),
 (84, 3, '', 7, 63.56, 100.125, '2026-01-01 09:00:35', '2026-01-21', false),
 (85, 6, 'Ünïcode', 7, -16.52, 0.5, '2026-01-02 09:34:01', '2026-01-09', NULL),
 (86, 2, 'ink', 1, 74.10, NULL, '2026-01-04 15:09:25', NULL, false),
 (87, 5, 'it''s', 3, 151.25, 0.25, '2026-01-02 18:39:50', '2026-01-10', true),
 (88, 3, 'Ünïcode', 4, 135.61, 0.25, '2026-01-02 04:05:07', '2026-02-18', true),
 (89, 8, 'it''s', -2, NULL, 3.0, '2026-01-02 03:48:01', '2026-02-18', false),
 (64, 8, '', 6, 113.71, 0.25, '2026-01-03 08:19:14', '2026-01-15', false),
 (91, 6, 'pen', -3, -1.25, -1.5, '2026-01-03 07:18:06', '2026-02-09', NULL),
 (92, 2, 'paper', 5, 22.53, NULL, '2026-01-04 12:00:07', NULL, NULL),
 (93, 8, 'it''s', -1, 131.63, NULL, '2026-01-04 16:00:29', '2026-02-04', true),
 (94, 2, 'it''s', 6, 12.92, 3.0, NULL, '2026-01-20', true),
 (95, 4, 'Ünïcode', 0, 108.24, NULL, '2026-01-03 22:27:02', '2026-02-02', true),
 (96, 3, 'pen', 5, 23.03, 3.0, '2026-01-02 14:10:55', '2026-01-15', false),
 (78, NULL, 'paper', 2, 173.11, -1.5, '2026-01-02 07:24:33', '2026-02-14', true),
 (98, 1, NULL, 0, 90.09, 100.125, '2026-01-01 13:12:23', NULL, false),
 (99, 7, 'paper', -1, -34.77, -1.5, '2026-01-04 11:19:05', '2026-02-17', true),
 (57, 5, '', -3, 183.27, 0.5, '2026-01-02 16:01:45', '2026-02-23', true);
INSERT INTO store VALUES (4, 'Graz', 'south', NULL), (6, 'Wien', 'west', '1999-12-31'), (9, 'Wien', NULL, NULL);
INSERT INTO note VALUES (2, 'a'), (5, 'b'), (3, 'c'), (4, 'c');
INSERT INTO sale VALUES
 (101, 5, 'ink', 7, 149.38, 0.25, '2026-01-01 03:05:37', '2026-02-21', false),
 (102, NULL, '', 7, -9.84, 100.125, '2026-01-02 18:36:45', NULL, NULL),
 (103, 4, 'Ünïcode', 4, 20.64, 3.0, '2026-01-03 23:00:06', '2026-01-19', true),
 (104, 8, 'pen', 4, 163.23, NULL, '2026-01-02 20:55:26', NULL, true),
 (76, 8, 'Ünïcode', 0, 65.03, 3.0, '2026-01-01 17:47:54', '2026-01-07', false),
 (106, 7, 'paper', -2, NULL, 100.125, '2026-01-02 15:27:48', '2026-02-08', true),
 (107, 5, 'it''s', 6, 149.82, 0.25, '2026-01-02 00:12:28', NULL, false),
 (108, NULL, NULL, 2, NULL, NULL, '2026-01-01 18:20:52', '2026-01-16', true),
 (109, 8, 'it''s', 2, -13.48, 3.0, '2026-01-02 11:59:36', '2026-01-08', true),
 (110, 7, 'ink', 1, 107.35, NULL, '2026-01-04 04:09:24', '2026-02-06', true),
 (111, 4, '', 8, 91.38, 3.0, '2026-01-03 01:10:43', '2026-02-09', true),
 (16, 3, 'paper', 4, 24.57, 3.0, '2026-01-02 14:11:34', '2026-02-21', false),
 (113, 6, 'paper', -3, 190.38, -1.5, '2026-01-01 10:50:50', '2026-02-13', true),
 (114, 8, 'pen', 1, -35.73, -1.5, '2026-01-03 17:16:12', '2026-02-25', true),
 (115, 2, NULL, 5, 35.25, -1.5, '2026-01-01 12:18:25', '2026-02-14', NULL),
 (48, 4, 'paper', 4, 76.01, -1.5, '2026-01-01 16:21:10', '2026-01-22', NULL),
 (117, 5, '', 5, 95.09, 0.5, '2026-01-03 05:15:59', '2026-01-10', true),
 (118, 6, 'pen', 7, 155.92, 0.25, '2026-01-02 08:27:31', '2026-01-06', true),
 (119, 6, 'ink', 0, 79.90, 100.125, '2026-01-01 04:40:28', '2026-01-03', false),
 (120, 2, 'pen', 8, 13.09, -1.5, '2026-01-01 18:09:46', '2026-01-26', NULL),
 (121, 8, 'it''s', 3, -27.35, 3.0, '2026-01-02 15:00:51', '2026-01-22', false),
 (122, 2, '', NULL, 131.93, 3.0, '2026-01-04 12:13:11', '2026-02-19', true),
 (123, 6, 'Ünïcode', 1, 36.97, -1.5, '2026-01-03 06:42:03', '2026-02-19', false),
 (124, 6, 'paper', 0, 79.65, 0.25, '2026-01-04 04:33:13', '2026-01-26', false),
 (125, 1, 'paper', 6, 88.83, 0.5, '2026-01-03 04:33:23', '2026-01-06', false);
INSERT INTO store VALUES (1, 'Graz', 'east', '2020-02-29'), (2, 'Graz', 'west', NULL), (9, NULL, NULL, NULL);
INSERT INTO note VALUES (3, 'c'), (5, 'b'), (4, 'b'), (1, 'b');
INSERT INTO sale VALUES
 (126, 2, 'Ünïcode', 5, -43.72, 0.25, '2026-01-01 06:16:08', '2026-02-28', NULL),
 (127, 3, 'pen', 2, 14.95, 0.25, '2026-01-04 15:32:44', '2026-01-28', true),
 (128, 5, 'pen', 5, 122.52, 0.25, '2026-01-03 15:51:29', '2026-02-20', false),
 (129, 1, 'it''s', 0, 37.36, 0.25, '2026-01-02 06:52:21', NULL, NULL),
 (130, 6, 'Ünïcode', 7, 155.78, 100.125, '2026-01-01 14:17:15', NULL, true),
 (131, 7, 'Ünïcode', 4, 97.81, NULL, '2026-01-03 08:44:47', NULL, false),
 (132, 2, 'paper', 1, -35.21, 0.25, '2026-01-03 03:01:01', '2026-01-12', false),
 (133, NULL, '', -3, 182.97, 0.25, '2026-01-03 19:20:22', '2026-01-26', NULL),
 (134, 4, 'pen', 1, 107.07, 3.0, '2026-01-03 16:18:51', '2026-01-25', false),
 (135, 4, 'ink', 6, 70.58, 100.125, '2026-01-04 18:44:17', '2026-02-18', false),
 (136, 8, NULL, -1, 158.56, 3.0, '2026-01-03 06:07:09', '2026-02-26', false),
 (137, 7, 'pen', 7, -37.41, 0.5, NULL, '2026-02-01', NULL),
 (138, 6, 'paper', 7, -18.07, 3.0, '2026-01-02 16:53:42', '2026-01-27', false),
 (139, NULL, 'ink', -2, -9.15, 0.25, '2026-01-02 18:16:58', '2026-01-13', false),
 (140, 4, 'it''s', -2, 90.45, 100.125, '2026-01-04 12:05:12', '2026-02-14', false),
 (141, 8, 'ink', 6, 144.81, 0.25, '2026-01-01 19:46:05', '2026-01-24', false),
 (66, 6, 'paper', 4, -6.05, -1.5, NULL, '2026-01-19', NULL),
 (143, 5, 'Ünïcode', 5, 9.34, 3.0, '2026-01-01 13:55:24', '2026-01-10', true),
 (144, 6, '', -2, 44.45, 0.25, '2026-01-04 05:04:49', NULL, NULL),
 (145, 6, 'ink', -1, 96.06, NULL, '2026-01-04 08:49:56', '2026-02-18', true),
 (146, 2, 'pen', 1, 17.87, 0.25, '2026-01-04 08:09:51', '2026-02-23', NULL),
 (147, 4, NULL, 1, 146.12, 0.5, NULL, '2026-01-14', false),
 (148, 7, 'it''s', NULL, 122.23, 100.125, '2026-01-02 07:54:39', '2026-02-21', false),
 (149, 5, '', 8, 25.67, 0.5, '2026-01-03 01:51:00', '2026-02-26', true),
 (67, 6, '', 1, -11.94, 0.5, '2026-01-04 21:58:51', '2026-02-19', false);
INSERT INTO store VALUES (3, 'Wien', NULL, '1999-12-31'), (4, 'Graz', 'west', '2020-02-29'), (7, NULL, 'south', '2020-02-29');
INSERT INTO note VALUES (2, 'a'), (1, 'b'), (1, 'a'), (3, 'c');
SELECT * FROM sale;
SELECT id, qty * net AS total, net / 3 AS third, -qty AS minus, ratio * 2 AS twice FROM sale WHERE qty > 0;
SELECT store, count(*) AS n, count(qty) AS nq, sum(qty) AS q, sum(net) AS net, avg(net) AS mean, avg(qty) AS meanq, min(net) AS least, max(at) AS latest FROM sale GROUP BY store;
SELECT count(*) AS n, sum(net) AS net, avg(ratio) AS r, min(item) AS a, max(item) AS z FROM sale;
SELECT item, paid, count(*) AS n, sum(qty) FILTER (WHERE net > 50) AS q, count(*) FILTER (WHERE paid) AS p FROM sale GROUP BY item, paid;
SELECT item, sum(net) AS net FROM sale GROUP BY item HAVING sum(net) > 100 AND count(*) > 3;
SELECT store, count(DISTINCT item) AS items, count(DISTINCT day) AS days FROM sale GROUP BY store;
SELECT DISTINCT item, paid FROM sale;
SELECT window_start, count(*) AS n, sum(net) AS net FROM TUMBLE(sale, at, INTERVAL '1 hour') GROUP BY window_start;
SELECT window_start, window_end, store, max(qty) AS most, min(qty) AS least FROM TUMBLE(sale, at, INTERVAL '1 day') GROUP BY window_start, window_end, store;
SELECT s.id, t.name, t.region FROM sale AS s JOIN store AS t ON t.store = s.store;
SELECT s.id, t.name FROM sale AS s LEFT JOIN store AS t ON t.store = s.store;
SELECT t.region, count(*) AS n, sum(s.net) AS net, max(s.net) AS most FROM sale AS s LEFT JOIN store AS t ON t.store = s.store GROUP BY t.region;
SELECT t.region, t.name, sum(s.qty * s.net) AS total FROM sale AS s JOIN store AS t ON t.store = s.store AND s.qty > 1 WHERE s.paid GROUP BY t.region, t.name HAVING count(*) > 1;
SELECT a.store, a.body, b.body AS other FROM note AS a JOIN note AS b ON a.store = b.store;
SELECT body, count(*) AS n FROM note GROUP BY body;
SELECT x.store, x.n, t.name FROM (SELECT store, count(*) AS n FROM sale WHERE net > 0 GROUP BY store) AS x JOIN store AS t ON t.store = x.store WHERE x.n > 3;
SELECT n, count(*) AS stores FROM (SELECT store, count(*) AS n FROM sale GROUP BY store) AS x GROUP BY n;
SELECT date_trunc('day', at) AS d, extract(hour FROM at) AS h, count(*) AS n FROM sale GROUP BY 1, 2;
SELECT CASE WHEN net > 100 THEN 'large' WHEN net > 0 THEN 'small' WHEN net IS NULL THEN 'none' ELSE 'back' END AS class, count(*) AS n FROM sale GROUP BY 1;
SELECT id, coalesce(item, '?') || '/' || coalesce(store::text, '-') AS label, upper(item) AS u, length(item) AS l, item LIKE '%e%' AS e FROM sale;
SELECT id, day + 1 AS next, at + INTERVAL '1 month' AS month, at::date - day AS days, day - INTERVAL '1 day' AS before FROM sale;
SELECT id, net::int AS i, qty::numeric / 7 AS q, ratio::numeric(10,1) AS r, net::double precision AS d, round(net, 1) AS r1, abs(net) AS a FROM sale;
SELECT id FROM sale WHERE store IN (1, 2, 3) AND item NOT IN ('pen', 'ink') AND NOT paid;
SELECT id FROM sale WHERE net BETWEEN 10 AND 100 OR (qty IS NULL AND paid IS NOT TRUE);
SELECT id FROM sale WHERE item IS DISTINCT FROM 'pen' AND nullif(qty, 0) IS NOT NULL AND greatest(qty, 2) < 5;
SELECT store, min(day) AS first, max(day) AS last, min(paid::int) AS p FROM sale GROUP BY store;
SELECT id, store FROM sale WHERE net > 1 UNION ALL SELECT id, qty FROM sale WHERE qty < 0;
SELECT sum(n) AS n FROM (SELECT count(*) AS n FROM sale GROUP BY store, item) AS x;
SELECT store, sum(ratio) AS r, avg(ratio) AS a FROM sale GROUP BY store;
SELECT store, bool_and(paid) AS every, bool_or(paid) AS some FROM sale GROUP BY store;
-- adhoc
SELECT id, net FROM sale ORDER BY net DESC NULLS LAST, id LIMIT 10;
-- adhoc
SELECT item, count(*) AS n FROM sale GROUP BY item ORDER BY n DESC, item OFFSET 1 LIMIT 3;
-- adhoc
SELECT id FROM sale WHERE net = (SELECT max(net) FROM sale);
-- adhoc
SELECT id FROM sale AS s WHERE EXISTS (SELECT 1 FROM store AS t WHERE t.store = s.store AND t.region = 'east') ORDER BY id;
-- adhoc
WITH totals AS (SELECT store, sum(net) AS net FROM sale GROUP BY store) SELECT t.name, x.net FROM totals AS x JOIN store AS t ON t.store = x.store ORDER BY x.net, t.name;
