-- LIMIT and window functions in correlated sub-queries: one for each row of the query around.
\ir rows/nested.sql

SELECT id, (SELECT v FROM s WHERE s.k = l.a ORDER BY v DESC, id LIMIT 1) AS top FROM l;
SELECT l.id, x.v FROM l CROSS JOIN LATERAL (SELECT v, id FROM s WHERE s.k = l.a ORDER BY v DESC, id LIMIT 2) x;
SELECT l.id, x.v FROM l LEFT JOIN LATERAL (SELECT v FROM s WHERE s.k = l.a ORDER BY v, id LIMIT 1 OFFSET 1) x ON true;
SELECT l.id, x.v FROM l LEFT JOIN LATERAL (SELECT v FROM s WHERE s.v > l.a ORDER BY v, id LIMIT 2 OFFSET 1) x ON true;
SELECT id, (SELECT x FROM (SELECT a AS x UNION ALL SELECT b) q ORDER BY x DESC NULLS LAST LIMIT 1) AS m FROM l;
SELECT id, (SELECT count(*) FROM (SELECT v FROM s WHERE s.k = l.a ORDER BY v OFFSET 1) q) AS c FROM l;
SELECT id, (SELECT sum(v) FROM (SELECT v FROM s WHERE s.k = l.a ORDER BY v DESC NULLS LAST, id LIMIT 2) q) AS c FROM l;
SELECT id, (SELECT count(*) FROM s WHERE s.k = l.a LIMIT 1) AS c, (SELECT max(v) FROM s WHERE s.k = l.a ORDER BY 1 LIMIT 1) AS d FROM l;
SELECT id, a IN (SELECT v FROM s WHERE s.k = l.b ORDER BY v, id LIMIT 2) AS c FROM l;
SELECT id, ARRAY(SELECT v FROM s WHERE s.k = l.a ORDER BY v DESC, id LIMIT 2) AS c FROM l;
SELECT id, (SELECT t FROM s WHERE s.k = l.a ORDER BY v DESC, id DESC LIMIT 1) AS t, (SELECT n FROM s WHERE s.w > l.a ORDER BY s.id LIMIT 1) AS n FROM l;
SELECT id, (SELECT sum(r) FROM (SELECT row_number() OVER (ORDER BY v, id) AS r FROM s WHERE s.k = l.a) q WHERE r <= 2) AS r FROM l;
SELECT id, (SELECT max(r) FROM (SELECT sum(v) OVER (PARTITION BY w ORDER BY id) AS r FROM s WHERE s.k = l.a) q) AS r FROM l;
SELECT l.id, x.v FROM l JOIN LATERAL (SELECT v, rank() OVER (ORDER BY v) AS r FROM s WHERE s.k = l.a) x ON x.r = 1;
SELECT id, (SELECT v FROM s WHERE s.k = l.a ORDER BY v LIMIT 0) AS z FROM l;
