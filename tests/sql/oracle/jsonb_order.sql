-- The order and equality of jsonb: kinds, numbers of elements, numbers by value, keys by length.
CREATE TABLE j (id INT, v JSONB, k INT, PRIMARY KEY (id));
INSERT INTO j VALUES (1, '[]', 1), (2, '[[null]]', 1), (3, '""', 1), (4, '"a"', 1), (5, '"aa"', 2), (6, '"b"', 2), (7, '9', 2), (8, '10', 2), (9, '10.0', 3),
 (10, '-1', 3), (11, '-10.50', 3), (12, '-10.5', 3), (13, '0', 1), (14, '0.00', 1), (15, 'false', 2), (16, 'true', 2), (17, '{}', 3), (18, '[null]', 1);
INSERT INTO j VALUES (19, '[1]', 1), (20, '[1, 1]', 1), (21, '[1.0, 1]', 1), (22, '[[]]', 2), (23, '["x"]', 2), (24, '[2]', 2), (25, '[true]', 2), (26, '[{}]', 2),
 (27, '{"a": 1}', 3), (28, '{"b": 0}', 3), (29, '{"a": 1, "b": 2}', 3), (30, '{"aa": 1}', 3), (31, '{"a": 1.00}', 3), (32, '{"a": [1]}', 1), (33, '{"a": "1"}', 1), (34, NULL, 1);
INSERT INTO j VALUES (35, '0.001', 1), (36, '1e70', 1), (37, '1e-70', 1), (38, '-1e70', 2), (39, '12345678901234567890.120', 2), (40, '12345678901234567890.12', 2),
 (41, '"a\nb"', 1), (42, '"a\"b"', 1), (43, '"\u0001"', 1), (44, '"Ünï"', 2), (45, '[[1], 2]', 1), (46, '[[2], 1]', 1), (47, '{"b": 1, "aa": 2}', 1), (48, '{"c": 1, "aa": 2}', 1),
 (49, '[0.0]', 1), (50, '[-0.10]', 1), (51, '[-0.1]', 1), (52, '{"a": {"b": [1.0]}}', 1), (53, '{"a": {"b": [1]}}', 1);

SELECT id FROM j ORDER BY v, id;
SELECT id FROM j ORDER BY v DESC, id;
SELECT id FROM j ORDER BY v DESC NULLS LAST, id LIMIT 5;
SELECT k, count(DISTINCT v) AS c, count(v) AS n FROM j GROUP BY k;
SELECT min(id) AS first, count(*) AS n FROM j GROUP BY v;
SELECT a.id AS l, b.id AS r FROM j AS a JOIN j AS b ON a.v = b.v WHERE a.id < b.id;
SELECT a.id AS l, b.id AS r FROM j AS a JOIN j AS b ON a.v < b.v;
SELECT id, v = '10' AS e, v <> '10.00' AS ne, v > '[]' AS gt, v <= '"a"' AS le, v IS DISTINCT FROM '0.0' AS d, v IN ('9.0', '[1.00]') AS i FROM j;
SELECT id, rank() OVER (ORDER BY v) AS r, dense_rank() OVER (PARTITION BY k ORDER BY v DESC) AS d, lag(id) OVER (ORDER BY v, id) AS l FROM j;
SELECT count(*) AS n FROM (SELECT v FROM j INTERSECT SELECT v FROM j WHERE id > 20) AS q;
SELECT count(*) AS n FROM (SELECT v FROM j EXCEPT ALL SELECT v FROM j WHERE id > 20) AS q;
SELECT count(*) AS n FROM (SELECT v FROM j UNION SELECT '10.000') AS q;
SELECT jsonb_agg(v ORDER BY v, id) AS a, k FROM j GROUP BY k;
SELECT a.id FROM j AS a WHERE ARRAY[a.v] = ANY (SELECT ARRAY[b.v] FROM j AS b WHERE b.id = 9 OR b.id = 31);
SELECT id, ARRAY[v, '1.0'] = ARRAY[v, '1'] AS e FROM j;
SELECT id FROM j WHERE v >= ALL (SELECT b.v FROM j AS b WHERE b.v IS NOT NULL);
SELECT x FROM (VALUES ('null'::jsonb), ('""'), ('[]'), ('{}'), ('0'), ('false'), ('[null]'), ('null')) AS v (x) ORDER BY x;
SELECT DISTINCT x FROM (VALUES ('null'::jsonb), (NULL), ('null'), ('[null]')) AS v (x);
