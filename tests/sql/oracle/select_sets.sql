-- Set-returning functions in select lists, and arrays of sub-queries.
CREATE TABLE t (id INT, i INT[], s TEXT[], j JSONB, x INT, w TEXT, PRIMARY KEY (id));
CREATE TABLE u (k INT, t_id INT, name TEXT, PRIMARY KEY (k));
INSERT INTO t VALUES (1, '{3,1,2}', '{a,b}', '[1, "s"]', 2, 'a,b'), (2, '{}', '{}', '[]', 0, ''), (3, NULL, NULL, NULL, NULL, NULL),
 (4, '{NULL,5}', '{x,NULL,z}', '[null]', 3, 'x');
INSERT INTO u VALUES (1, 1, 'one'), (2, 1, 'two'), (3, 4, NULL), (4, NULL, 'four'), (5, 1, 'five');
INSERT INTO t VALUES (2, '{9}', '{q}', '[2]', 1, 'q'), (5, '{1}', NULL, '[[3]]', 4, 'z,');
INSERT INTO u VALUES (2, 4, 'zwei'), (6, 2, 'six');

SELECT id, unnest(i) AS v FROM t;
SELECT id, unnest(i) AS v, unnest(s) AS e FROM t;
SELECT id, unnest(i) * 10 + x AS v FROM t WHERE id <> 5;
SELECT id, generate_series(1, x) AS g, 'k' AS k FROM t;
SELECT id, jsonb_array_elements(j) AS e, string_to_table(w, ',') AS p FROM t;
SELECT DISTINCT unnest(i) AS v FROM t;
SELECT unnest(i) AS v FROM t ORDER BY v DESC NULLS LAST LIMIT 3;
SELECT x, count(*) AS c, generate_series(1, count(*)) AS g FROM t GROUP BY x;
SELECT id, generate_series(1, 2) AS g, row_number() OVER (ORDER BY id) AS r FROM t;
SELECT q.v, count(*) AS c FROM (SELECT unnest(s) AS v FROM t) AS q GROUP BY q.v;
SELECT generate_series(1, 3) AS g;
SELECT generate_subscripts(i, 1) AS k, i FROM t;
SELECT id, ARRAY(SELECT k FROM u WHERE u.t_id = t.id ORDER BY k DESC) AS ks FROM t;
SELECT id, ARRAY(SELECT name FROM u WHERE u.t_id = t.id ORDER BY name NULLS FIRST) AS names, cardinality(ARRAY(SELECT 1 FROM u WHERE u.t_id = t.id)) AS n FROM t;
SELECT ARRAY(SELECT k * 2 FROM u ORDER BY k) AS a, ARRAY(SELECT name FROM u WHERE k > 100) AS b;
SELECT id, ARRAY(SELECT v + 1 FROM unnest(i) AS v ORDER BY v) AS p FROM t;
SELECT id FROM t WHERE 2 = ANY (ARRAY(SELECT k FROM u WHERE u.t_id = t.id)) OR id = 5;
SELECT ARRAY(SELECT k FROM u ORDER BY name DESC NULLS LAST, k LIMIT 2) AS a;
SELECT id, array_to_string(ARRAY(SELECT DISTINCT e FROM unnest(s) AS e ORDER BY e), '+') AS d FROM t;
SELECT id, array_length(array_agg(k ORDER BY k), 1) AS n, (array_agg(name ORDER BY k DESC))[1] AS last FROM t JOIN u ON u.t_id = t.id GROUP BY id;
SELECT id, m FROM t, regexp_matches(w, '([a-z])(,)?', 'g') AS m;
SELECT id, regexp_matches(w, '[a-z]') AS m FROM t;
SELECT id, (regexp_matches(w, '(.)', 'g'))[1] AS m FROM t;
SELECT id, p FROM t, regexp_split_to_table(w, ',') AS p;
SELECT regexp_split_to_table('aXbxc', 'x', 'i') AS p;
SELECT id, m.m, m.n FROM t, regexp_matches(w, '', 'g') WITH ORDINALITY AS m(m, n);
