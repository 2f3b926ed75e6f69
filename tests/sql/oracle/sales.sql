-- Sales with a table of stores: every clause that views have, over rows with NULLs, ties, negative
-- amounts, repeated keys and changes of the table.
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
