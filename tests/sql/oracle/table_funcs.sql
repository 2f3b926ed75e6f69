-- Functions in FROM: over columns to their left, side by side, with ordinality, left joins, and none.
CREATE TABLE t (id INT, i INT[], s TEXT[], j JSONB, x INT, lo DATE, hi DATE, w TEXT, PRIMARY KEY (id));
CREATE TABLE u (k INT, name TEXT, PRIMARY KEY (k));
INSERT INTO t VALUES
 (1, '{3,1,2}', '{a,b}', '[{"sku": "p", "qty": 2}, {"sku": "q", "qty": 1}]', 2, '2026-01-30', '2026-02-02', 'a,b,,c'),
 (2, '{}', '{}', '[]', 0, '2026-01-01', '2026-01-01', ''),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, '{NULL,5}', '{x,NULL,z}', '[null, 1, "s"]', 3, '2026-03-01', '2026-02-01', 'x'),
 (5, '{5}', '{a}', '[[1, 2], {"a": null}]', 1, '2025-12-31', '2026-01-02', ',');
INSERT INTO u VALUES (1, 'one'), (2, 'two'), (5, 'five'), (7, 'seven');
INSERT INTO t VALUES
 (2, '{9,9}', '{q}', '[true]', 1, '2026-01-01', '2026-01-03', 'p,q'),
 (6, '{1}', NULL, '[]', 4, '2026-01-01', NULL, 'z');

SELECT id, v FROM t, unnest(i) AS v;
SELECT id, e.v, e.n FROM t, unnest(i) WITH ORDINALITY AS e(v, n);
SELECT id, a, b FROM t, unnest(i, s) AS z(a, b);
SELECT id, a, b, n FROM t CROSS JOIN LATERAL unnest(s, i) WITH ORDINALITY AS z(a, b, n);
SELECT id, v FROM t LEFT JOIN LATERAL unnest(i) AS v ON true;
SELECT id, v, n FROM t LEFT JOIN unnest(i) WITH ORDINALITY AS z(v, n) ON true;
SELECT id, v FROM t LEFT JOIN LATERAL unnest(i) AS v ON v > 1;
SELECT id, v FROM t LEFT JOIN LATERAL unnest(i) AS v ON v = x OR v = id;
SELECT id, v FROM t LEFT JOIN LATERAL unnest(i) AS v ON false;
SELECT id, v FROM t JOIN LATERAL unnest(i) AS v ON v > x;
SELECT id, v FROM t JOIN unnest(i) AS v ON v = 5 WHERE id > 1;
SELECT id, v FROM t, unnest(i) AS v WHERE v IS NOT NULL AND id <> 5;
SELECT id, a, b FROM t, unnest(i) AS a, unnest(s) AS b;
SELECT id, a, b FROM t, unnest(i) AS a, generate_series(1, a) AS b;
SELECT id, v, name FROM t, unnest(i) AS v JOIN u ON u.k = v;
SELECT id, v, name FROM t CROSS JOIN unnest(i) AS v JOIN u ON u.k = v;
SELECT id, v, name FROM t CROSS JOIN unnest(i) AS v LEFT JOIN u ON u.k = v;
SELECT id, name, v FROM t, u CROSS JOIN LATERAL unnest(t.i) AS v WHERE u.k = t.id;
SELECT id, name, v FROM t, u LEFT JOIN LATERAL unnest(t.i) AS v ON v = u.k WHERE u.k <= 2;
SELECT v, count(*) AS c, sum(id) AS s FROM t, unnest(i) AS v GROUP BY v;
SELECT id, max(v) AS m, count(v) AS c FROM t LEFT JOIN unnest(i) AS v ON true GROUP BY id;
SELECT DISTINCT v FROM t, unnest(s) AS v;
-- series
SELECT g FROM generate_series(1, 5) AS g;
SELECT generate_series FROM generate_series(5, 1, -2);
SELECT * FROM generate_series(1, 0);
SELECT * FROM generate_series(9223372036854775805, 9223372036854775807) AS big;
SELECT * FROM generate_series(2147483645, 2147483647) AS g(i);
SELECT * FROM generate_series(0.5, 2, 0.25) AS n;
SELECT * FROM generate_series(3, 1.5, -0.5);
SELECT * FROM generate_series(timestamp '2026-01-31', '2026-06-30', '1 month') AS m;
SELECT * FROM generate_series(timestamp '2026-01-02', '2026-01-01', '-6 hours') WITH ORDINALITY;
SELECT * FROM generate_series('2026-01-01 00:00:00+00'::timestamptz, '2026-01-02 00:00:00+00', '8 hours') AS z;
SELECT id, d::date AS d FROM t, generate_series(lo, hi, '1 day') AS d;
SELECT id, g FROM t, generate_series(1, x) AS g;
SELECT id, g FROM t LEFT JOIN generate_series(1, x) AS g ON true;
SELECT g, name FROM generate_series(1, 3) AS g LEFT JOIN u ON k = g;
SELECT g, k FROM u RIGHT JOIN generate_series(1, 3) AS g ON k = g;
SELECT g.d, count(t.id) AS c FROM generate_series(date '2026-01-01', date '2026-01-03', '1 day') AS g(d) LEFT JOIN t ON t.lo = g.d GROUP BY g.d;
SELECT a, b FROM generate_series(1, 3) AS a, generate_series(a, 3) AS b;
SELECT id, i[k] AS v, k FROM t, generate_subscripts(i, 1) AS k;
SELECT id, k FROM t, generate_subscripts(i, 1, true) AS k;
-- text
SELECT id, p FROM t, string_to_table(w, ',') AS p;
SELECT id, p, n FROM t, string_to_table(w, ',', '') WITH ORDINALITY AS q(p, n);
SELECT * FROM string_to_table('abc', NULL);
-- jsonb
SELECT id, item ->> 'sku' AS sku, (item ->> 'qty')::int AS qty FROM t, jsonb_array_elements(j) AS item WHERE id = 1;
SELECT id, value FROM t, jsonb_array_elements(j);
SELECT id, e.value AS v, e.ordinality AS o FROM t, jsonb_array_elements(j) WITH ORDINALITY AS e;
SELECT id, e FROM t, jsonb_array_elements_text(j) AS e;
SELECT id, sum((item ->> 'qty')::int) AS q FROM t, jsonb_array_elements(j) AS item WHERE jsonb_typeof(item) = 'object' GROUP BY id;
SELECT key, value FROM jsonb_each('{"b": 1, "a": {"c": null}, "n": null}');
SELECT k, v FROM jsonb_each_text('{"b": 1, "a": {"c": null}, "n": null, "s": "t"}') AS e(k, v);
SELECT jsonb_object_keys FROM jsonb_object_keys('{"b": 1, "a": 2}');
SELECT id, k FROM t, jsonb_array_elements(j) AS e, jsonb_object_keys(e) AS k WHERE id = 1;
-- side by side, scalars
SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS r(n, c);
SELECT * FROM ROWS FROM (jsonb_each('{"a": 1}'), generate_series(1, 2)) WITH ORDINALITY;
SELECT id, n, c FROM t, ROWS FROM (generate_series(1, x), unnest(s)) AS r(n, c);
SELECT * FROM abs(-5) AS a;
SELECT * FROM upper('x');
SELECT id, l FROM t, length(w) AS l;
SELECT id, v FROM t, unnest(i || x) AS v;
SELECT v FROM unnest('{1,2}'::int[]) AS v UNION ALL SELECT k FROM u;
SELECT id, (SELECT count(*) FROM u) AS c, v FROM t, unnest(i) AS v;
SELECT q.id, q.v FROM (SELECT id, v FROM t, unnest(i) AS v) AS q WHERE q.v > 1;
-- sub-queries over functions, and functions over sub-queries
SELECT id, (SELECT sum(v) FROM unnest(i) AS v) AS s, (SELECT count(*) FROM unnest(i) AS v WHERE v > t.x) AS c FROM t;
SELECT id FROM t WHERE EXISTS (SELECT 1 FROM unnest(t.s) AS e WHERE e = 'a');
SELECT id FROM t WHERE NOT EXISTS (SELECT 1 FROM jsonb_array_elements(j) AS e WHERE jsonb_typeof(e) = 'object');
SELECT id, x IN (SELECT v FROM unnest(i) AS v) AS f FROM t;
SELECT id, (SELECT max(v) FROM generate_series(1, t.x) AS v) AS m FROM t;
SELECT id, l.s FROM t, LATERAL (SELECT sum(v * t.x) AS s FROM unnest(t.i) AS v) AS l;
SELECT id, l.v, l.k FROM t LEFT JOIN LATERAL (SELECT v, k FROM unnest(t.i) WITH ORDINALITY AS z(v, k) WHERE v > 1) AS l ON true;
SELECT id, v FROM t, generate_series(1, (SELECT count(*) FROM u WHERE k = t.id)) AS v;
SELECT k, v FROM u, unnest((SELECT i FROM t WHERE t.id = u.k)) AS v;
SELECT id, v, name FROM t JOIN LATERAL (SELECT v, name FROM unnest(t.i) AS v JOIN u ON u.k = v) AS q ON true;
SELECT id, (SELECT string_to_array(w, ',') @> ARRAY['a']) AS a FROM t;
WITH e AS (SELECT id, v FROM t, unnest(i) AS v) SELECT a.id AS l, b.id AS r, a.v FROM e AS a JOIN e AS b ON a.v = b.v AND a.id < b.id;
