-- Arrays: text in and out, order, operators, subscripts, functions, ANY and ALL.
CREATE TABLE a (
  id INT, i INT[], b BIGINT[], n NUMERIC[], f DOUBLE PRECISION[], t TEXT[], v VARCHAR(5)[], d DATE[],
  z TIMESTAMPTZ[], iv INTERVAL[], bo BOOLEAN[], u UUID[], j JSONB[], y BYTEA[], x INT, s TEXT, PRIMARY KEY (id));
INSERT INTO a VALUES
 (1, '{1,2,3}', '{10,20}', '{1.0,2.50}', '{1.5,NaN}', '{a,b,c}', '{ab,cd}', '{2026-01-01,2026-02-01}', '{2026-01-01 00:00:00+00}', '{1 day,02:00:00}', '{t,f}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{"{\"a\": 1}","[1, 2]"}', '{"\\x00ff","\\x"}', 2, 'b'),
 (2, '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', 0, ''),
 (3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
 (4, '{NULL,2,2}', '{NULL}', '{NULL,1.00}', '{0,Infinity,-Infinity}', '{NULL,"NULL","",b c,"x\"y","p\\q"}', '{NULL}', '{NULL}', '{NULL}', '{1 mon,30 days}', '{NULL,t}', '{NULL}', '{NULL,"[null]"}', '{NULL}', 2, 'NULL'),
 (5, '{1,2}', '{20,10}', '{1.00,2.5}', '{1.5}', '{a,b}', '{ab}', '{infinity}', '{2026-01-01 00:00:00+02}', '{30 days}', '{f}', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11,00000000-0000-0000-0000-000000000000}', '{1}', '{"\\x01"}', 1, 'a'),
 (6, '{-5,7,2147483647}', '{9223372036854775807}', '{-0.5}', '{1e300}', '{Ä,ü}', '{ß}', '{1999-12-31}', '{2000-01-01 12:30:00.5+00}', '{-1 days}', '{t,t,t}', '{}', '{"\"s\""}', '{"\\xdeadbeef"}', 7, 'ü');
INSERT INTO a VALUES (5, '{1,2,2,1}', '{20,10}', '{1.00,2.5}', '{1.5}', '{a,b,a}', '{ab}', '{infinity}', NULL, '{30 days}', '{f}', NULL, '{1}', '{"\\x01"}', 1, 'a');

SELECT * FROM a ORDER BY id;
SELECT id, i FROM a ORDER BY i, id;
SELECT id, n FROM a ORDER BY n DESC, id;
SELECT id, f FROM a ORDER BY f NULLS FIRST, id;
SELECT id, t FROM a ORDER BY t, id;
SELECT id, iv FROM a ORDER BY iv, id;
SELECT id, b, bo, u, z, d, y FROM a ORDER BY b, bo, u, z, d, y, id;
SELECT i, count(*) AS c, sum(x) AS sx FROM a GROUP BY i;
SELECT n, count(*) AS c FROM a WHERE n <> '{1.00,2.5}' GROUP BY n;
SELECT DISTINCT t[1:2] AS head FROM a;
SELECT x.id AS l, y.id AS r FROM a AS x JOIN a AS y ON x.n = y.n;
SELECT x.id AS l, y.id AS r FROM a AS x JOIN a AS y ON x.i < y.i;
SELECT id, i = '{1,2,3}' AS e, i <> ARRAY[1,2,3] AS ne, i > ARRAY[1,2] AS gt, i <= ARRAY[1,2,2] AS le, t = ARRAY['a','b'] AS te FROM a;
SELECT id, n = ARRAY[1,2.5] AS e, f = ARRAY[0,0,'Infinity']::float8[] AS fe, iv = '{30 days,1 mon}' AS ie FROM a;
-- subscripts and slices
SELECT id, i[1] AS i1, i[3] AS i3, i[0] AS i0, i[-1] AS im, i[x] AS ix, n[2] AS n2, t[4] AS t4, j[1] AS j1, i[NULL] AS nul FROM a;
SELECT id, i[2:3] AS s1, i[:2] AS s2, i[2:] AS s3, i[:] AS s4, i[3:2] AS s5, i[-5:1] AS s6, n[2:9] AS s7, t[x:x] AS s8, i[NULL:2] AS s9 FROM a;
SELECT id, (i || 9)[1] AS p, (ARRAY[x, 5, 6])[2:3] AS q FROM a;
-- operators
SELECT id, i @> ARRAY[2] AS c, i <@ '{1,2,3,4}' AS cd, i && ARRAY[3, NULL] AS o, t @> '{a}' AS tc, n @> ARRAY[1.0] AS nc, t && ARRAY['b', 'zz'] AS tb, i @> '{}' AS ce, '{}' <@ i AS ec FROM a;
SELECT id, i || i AS ii, i || 5 AS ia, 0 || i AS ip, i || '{8,9}' AS il, t || s AS ts, s || t AS st, i || NULL AS inul, NULL || i AS nuli, b || i AS bi, i || b AS ib FROM a;
SELECT id, i || 1.5 AS inu, n || x AS nx FROM a;
-- ANY and ALL
SELECT id, x = ANY (i) AS e, x <> ALL (i) AS ne, x > ANY (i) AS gt, x <= ALL (i) AS le, s = ANY (t) AS st, x = ALL (i) AS al, s LIKE ANY (ARRAY['a%', '_']) AS li, s !~ ALL (ARRAY['b', s]) AS re, s NOT LIKE ANY (t) AS nl FROM a;
SELECT id, x = ANY ('{1,2}') AS e, x <> ALL ('{2,NULL}') AS n, x = ANY (ARRAY[x, id]) AS v, x = ANY ('{}'::int[]) AS em, x = ANY (NULL::int[]) AS nu, x > ALL ('{}'::int[]) AS ea, 2.0 = ANY (i) AS num, x = ANY (b) AS big, x = ANY (n) AS nn FROM a;
SELECT id FROM a WHERE x = ANY (i);
SELECT id FROM a WHERE NOT (x = ANY (i));
SELECT l.id AS l, r.id AS r FROM a AS l JOIN a AS r ON l.x = ANY (r.i);
-- constructors and casts
SELECT id, ARRAY[x, id, NULL] AS a1, ARRAY[x, 1.5] AS a2, ARRAY[s, 'k'] AS a3, ARRAY[]::int[] AS a4, ARRAY['1','2']::int[] AS a5, ARRAY[x]::text[] AS a6, ARRAY[1,2]::numeric(5,2)[] AS a7 FROM a;
SELECT id, i::bigint[] AS ib, i::text[] AS it, i::text AS itx, n::int[] AS ni, t::varchar(1)[] AS tv, d::text[] AS dt, i::numeric(6,2)[] AS inn, '{1.234,5}'::numeric(6,2)[] AS lit, '{abc}'::varchar(2)[] AS lv, f::numeric[] AS fn, bo::text[] AS bt FROM a WHERE id NOT IN (1, 4, 6);
SELECT id, CASE WHEN id < 3 THEN i ELSE b END AS c, COALESCE(i, '{0}') AS co, NULLIF(i, '{}') AS nu, GREATEST(i, ARRAY[1,2,9]) AS g FROM a;
-- functions
SELECT id, array_length(i, 1) AS l, array_length(i, 2) AS l2, cardinality(t) AS c, array_dims(i) AS d, array_ndims(i) AS nd, array_lower(i, 1) AS lo, array_upper(i, 1) AS up FROM a;
SELECT id, array_append(i, x) AS ap, array_prepend(x, i) AS pp, array_cat(i, i) AS cat, array_append(t, NULL) AS an, array_append(NULL::int[], 1) AS na FROM a;
SELECT id, array_remove(i, 2) AS r, array_remove(i, NULL) AS rn, array_replace(i, 2, 20) AS p, array_replace(i, NULL, 0) AS pn, array_remove(n, 1) AS rnn, array_replace(t, 'b', NULL) AS tn FROM a;
SELECT id, array_position(i, 2) AS p, array_position(i, 2, 3) AS p3, array_position(t, NULL) AS pn, array_positions(i, 2) AS ps, array_positions(t, 'zz') AS z, array_position(n, 1) AS nn FROM a;
SELECT id, array_to_string(i, ',') AS s1, array_to_string(i, '-', '*') AS s2, array_to_string(n, ' ') AS s3, array_to_string(bo, '|', 'null') AS s4, array_to_string(t, NULL) AS s5, array_to_string(z, ' ') AS s6, array_to_string(f, ';') AS s7 FROM a;
SELECT id, string_to_array(s, '') AS s1, string_to_array('a,b,,c', ',') AS s2, string_to_array('a,b,,c', ',', '') AS s3, string_to_array(s, NULL) AS s4, string_to_array('xyyz', 'yy') AS s5, string_to_array('abc', NULL, 'b') AS s6, string_to_array(s, 'b') AS s7 FROM a;
SELECT id, array_fill(x, ARRAY[2]) AS f1, array_fill(s, '{3}') AS f2, array_fill(7, ARRAY[0]) AS f3, array_fill(1, '{}'::int[]) AS f4, array_fill(x, ARRAY[2], ARRAY[1]) AS f5 FROM a;
SELECT id, trim_array(i, 1) AS tr FROM a WHERE cardinality(i) > 0;
SELECT id, concat(i, '/', t) AS c, i::text || '!' AS tx, to_jsonb(i) AS tj, to_jsonb(t) AS tt, j FROM a;
SELECT id, pg_typeof(i)::text AS p1, pg_typeof(n)::text AS p2, pg_typeof(i || 1.5)::text AS p3, pg_typeof(string_to_array(s, ','))::text AS p4 FROM a;
SELECT id, j[1] ->> 'a' AS ja, (jsonb_build_object('k', i)) AS jb FROM a;
SELECT id, t, i FROM a UNION ALL SELECT id, '{}'::text[], NULL::int[] FROM a;
SELECT sum(cardinality(i)) AS s, count(i) AS c, count(DISTINCT n) AS dn, count(DISTINCT i) AS di FROM a;
SELECT id FROM a WHERE i IN ('{1,2,3}', '{}');
SELECT id FROM a WHERE i IS NOT DISTINCT FROM '{NULL,2,2}';
SELECT id, i FROM a WHERE i BETWEEN '{1}' AND '{1,2,3}';
