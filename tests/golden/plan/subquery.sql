-- Sub-queries and LATERAL, unnested: what is joined, and where a domain is needed.
CREATE TABLE c (id INT NOT NULL, g INT, name TEXT, PRIMARY KEY (id));
CREATE TABLE o (id INT NOT NULL, c INT, v INT NOT NULL, at TIMESTAMP, PRIMARY KEY (id));

-- An equality is a key; the aggregate's empty value is put in above the join.
SELECT id, (SELECT sum(v) FROM o WHERE o.c = c.id) FROM c;
SELECT id, (SELECT count(*) + 1 FROM o WHERE o.c = c.id) FROM c;
-- At most one row by its key; one that must be counted.
SELECT id, (SELECT name FROM c WHERE c.id = o.c) FROM o;
SELECT id, (SELECT v FROM o WHERE o.c = c.id) FROM c;
-- No equality: the distinct values of c.g.
SELECT id, (SELECT max(v) FROM o WHERE o.v < c.g) FROM c;
SELECT id FROM c WHERE EXISTS (SELECT 1 FROM o WHERE o.c = c.id AND o.v > c.g);
SELECT id FROM c WHERE NOT EXISTS (SELECT 1 FROM o WHERE o.c = c.id);
SELECT id FROM c WHERE id IN (SELECT c FROM o WHERE v > 3);
SELECT id FROM c WHERE id NOT IN (SELECT v FROM o);
SELECT id, g NOT IN (SELECT c FROM o) FROM c;
SELECT id FROM c WHERE g >= ALL (SELECT v FROM o WHERE o.c = c.id);
-- Two levels, the inner one with columns of both.
SELECT id, (SELECT max(v) FROM o WHERE o.c = c.id AND o.v > (SELECT avg(v) FROM o p WHERE p.c = o.c AND p.id <> c.g)) FROM c;
SELECT g, count(*), (SELECT sum(v) FROM o WHERE o.c = c.g) FROM c GROUP BY g HAVING count(*) > (SELECT min(v) FROM o);
SELECT c.id, x.v FROM c CROSS JOIN LATERAL (SELECT v FROM o WHERE o.c = c.id ORDER BY v DESC LIMIT 3) x;
SELECT c.id, x.n FROM c LEFT JOIN LATERAL (SELECT count(*) AS n FROM o WHERE o.c = c.id) x ON x.n > 1;
SELECT c.id, x.y FROM c, LATERAL (VALUES (c.id), (c.g)) x(y);
SELECT ARRAY(SELECT v FROM o WHERE o.c = c.id ORDER BY at) FROM c;
WITH RECURSIVE t(id, d) AS (SELECT id, 1 FROM c WHERE g = 0 UNION ALL SELECT c.id, d + 1 FROM c JOIN t ON c.g = t.id) SELECT * FROM t;
WITH s AS (SELECT c, sum(v) AS v FROM o GROUP BY c) SELECT a.c FROM s a WHERE a.v = (SELECT max(v) FROM s);
