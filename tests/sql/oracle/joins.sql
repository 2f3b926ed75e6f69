-- Every kind of join: keys, null-safe keys, further conditions, merged columns, chains and nests.
\ir rows/pairs.sql

SELECT a.id, b.id AS b FROM a JOIN b ON a.k = b.k;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k AND a.v < b.w;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k AND a.v < b.w;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k AND a.v < b.w;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k AND a.g = 'p';
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k AND b.g = 'p';
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k AND a.g = 'p';
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k AND a.g = 'p';
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k AND b.g = 'p';
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k AND b.g = 'p';
SELECT a.id, b.id AS b FROM a JOIN b ON a.k IS NOT DISTINCT FROM b.k;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k IS NOT DISTINCT FROM b.k AND a.g = b.g;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.g IS NOT DISTINCT FROM b.g AND a.k = b.k;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k AND a.g IS NOT DISTINCT FROM b.g;
SELECT a.id, b.id AS b FROM a JOIN b ON a.k + 1 = b.k - 1;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON abs(a.k) = b.k % 4 AND a.v * 2 > b.w;
SELECT a.id, b.id AS b FROM a JOIN b ON a.v = b.w;
SELECT a.id, c.x FROM a JOIN c ON a.v = c.x * 10;
SELECT a.id, b.id AS b FROM a JOIN b ON a.v < b.w;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.v < b.w AND b.g > a.g;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.v > b.w;
SELECT a.id, b.id AS b FROM a JOIN b ON true;
SELECT a.id, b.id AS b FROM a CROSS JOIN b WHERE a.v < b.w;
SELECT a.id, b.id AS b FROM a, b WHERE a.k = b.k AND a.g = b.g;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON true;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON false;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON false;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON true;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON NULL;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = 1;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON b.k = 1;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = 1 AND b.k = 2;
SELECT a.id, e.id AS e FROM a LEFT JOIN empty e ON true;
SELECT a.id, e.id AS e FROM a FULL JOIN empty e ON a.k = e.k;
SELECT a.id, e.id AS e FROM empty e RIGHT JOIN a ON a.k = e.k;
SELECT a.id FROM a JOIN empty e ON true;
SELECT count(*) AS n FROM a CROSS JOIN b CROSS JOIN c;

-- merged columns
SELECT k, a.id, b.id AS b FROM a JOIN b USING (k);
SELECT k, a.id, b.id AS b FROM a LEFT JOIN b USING (k);
SELECT k, a.id, b.id AS b FROM a RIGHT JOIN b USING (k);
SELECT k, a.id, b.id AS b, a.k AS ak, b.k AS bk FROM a FULL JOIN b USING (k);
SELECT k, g, a.id, b.id AS b FROM a FULL JOIN b USING (k, g);
SELECT k, count(*) AS n FROM a FULL JOIN b USING (k) GROUP BY k;
SELECT * FROM a JOIN c USING (k);
SELECT * FROM a LEFT JOIN c USING (k);
SELECT * FROM c RIGHT JOIN a USING (k);
SELECT * FROM a FULL JOIN c USING (k);
SELECT * FROM a NATURAL JOIN c;
SELECT * FROM a NATURAL LEFT JOIN c;
SELECT * FROM c NATURAL FULL JOIN a;
SELECT * FROM a NATURAL JOIN b;
SELECT * FROM a NATURAL FULL JOIN b;
SELECT * FROM (SELECT k AS q, x FROM c) AS c NATURAL JOIN empty;
SELECT k, x, a.id, b.id AS b FROM a JOIN b USING (k) JOIN c USING (k);
SELECT k, x, a.id, b.id AS b FROM a FULL JOIN b USING (k) FULL JOIN c USING (k);
SELECT k, x, a.id, b.id AS b FROM a LEFT JOIN b USING (k) FULL JOIN c USING (k);
SELECT k, x, a.id FROM a FULL JOIN c USING (k) WHERE k IS NOT NULL;
SELECT k, x, a.id FROM a FULL JOIN c USING (k) WHERE k = 3;
SELECT w, n FROM b FULL JOIN (SELECT v AS w, count(*) AS n FROM a GROUP BY v) AS s USING (w);
SELECT j.k, a.id FROM a JOIN b USING (k) AS j;
SELECT j.k, a.id, b.id AS b FROM a FULL JOIN b USING (k) AS j WHERE j.k > 1;
SELECT j.id, j.x FROM (a JOIN c USING (k)) AS j;
SELECT * FROM (a JOIN c USING (k)) AS j (one, two, three);

-- chains, nests, self joins
SELECT a.id, b.id AS b, c.x FROM a JOIN b ON a.k = b.k JOIN c ON c.k = b.k;
SELECT a.id, b.id AS b, c.x FROM a LEFT JOIN b ON a.k = b.k LEFT JOIN c ON c.k = b.k;
SELECT a.id, b.id AS b, c.x FROM a LEFT JOIN (b JOIN c ON c.k = b.k) ON a.k = b.k;
SELECT a.id, b.id AS b, c.x FROM a LEFT JOIN b JOIN c ON c.k = b.k ON a.k = b.k;
SELECT a.id, b.id AS b, c.x FROM (a FULL JOIN b ON a.k = b.k) LEFT JOIN c ON c.k = coalesce(a.k, b.k);
SELECT a.id, b.id AS b, c.x FROM (a RIGHT JOIN b ON a.k = b.k) FULL JOIN c ON c.k = a.k;
SELECT a.id, b.id AS b, c.x FROM a FULL JOIN (b FULL JOIN c ON b.k = c.k) ON a.k = b.k;
SELECT x.id, y.id AS y FROM a AS x JOIN a AS y ON x.k = y.k AND x.id < y.id;
SELECT x.id, y.id AS y FROM a AS x LEFT JOIN a AS y ON x.g = y.g AND x.v < y.v;
SELECT x.id, y.id AS y FROM b AS x FULL JOIN b AS y ON x.k = y.k AND x.id < y.id;
SELECT x.id, count(y.id) AS n FROM a AS x LEFT JOIN a AS y ON x.k = y.k AND y.v < x.v GROUP BY x.id;
SELECT a.id, b.id AS b, c.x, e.id AS e FROM a, b, c, empty AS e WHERE a.k = b.k AND b.k = c.k AND e.k = a.k;
SELECT a.id, b.id AS b, c.x FROM a, b, c WHERE a.k = c.k AND b.g = a.g;
SELECT a.id, b.id AS b, c.x FROM c, b, a WHERE a.k = c.k AND b.g = a.g AND b.w > 10;

-- conditions above: what makes an outer join stricter, and what does not
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k WHERE b.w > 10;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k WHERE b.w IS NULL;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k WHERE b.id IS NULL;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k WHERE coalesce(b.w, 0) < 20;
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k WHERE b.w > 10 OR b.g = 'p';
SELECT a.id, b.id AS b FROM a LEFT JOIN b ON a.k = b.k WHERE b.w > 10 OR a.v > 10;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k WHERE a.v > 10;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k WHERE a.v IS NOT NULL;
SELECT a.id, b.id AS b FROM a RIGHT JOIN b ON a.k = b.k WHERE b.w > 10;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE a.v > 10;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE b.w > 10;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE a.v > 10 AND b.w > 10;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE a.v < b.w;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE a.v IS NULL;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE a.v IS NULL OR b.w > 10;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE NOT (a.g = 'p');
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k WHERE (a.g = 'p') IS NOT TRUE;

-- over joins: aggregates, distinct, order, windows of rows
SELECT a.g, sum(b.w) AS w, count(b.id) AS n, count(*) AS m FROM a LEFT JOIN b ON a.k = b.k GROUP BY a.g;
SELECT b.g, max(a.v) AS v, min(a.v) AS u FROM a RIGHT JOIN b ON a.k = b.k GROUP BY b.g;
SELECT DISTINCT a.g, b.g AS bg FROM a FULL JOIN b ON a.k = b.k;
SELECT a.id, b.id AS b FROM a FULL JOIN b ON a.k = b.k ORDER BY a.id, b.id LIMIT 5;
SELECT s.g, n, w FROM (SELECT g, count(*) AS n FROM a GROUP BY g) AS s FULL JOIN (SELECT g, sum(w) AS w FROM b GROUP BY g) AS t ON s.g = t.g;

-- semi and anti joins
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k);
SELECT id FROM a WHERE EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.w > a.v);
SELECT id FROM a WHERE NOT EXISTS (SELECT 1 FROM b WHERE b.k = a.k AND b.w > a.v);
SELECT id FROM a WHERE k IN (SELECT k FROM b);
SELECT id FROM a WHERE k NOT IN (SELECT k FROM b);
SELECT id FROM a WHERE k NOT IN (SELECT k FROM b WHERE k IS NOT NULL);
SELECT id FROM a WHERE k NOT IN (SELECT k FROM empty);
SELECT id FROM a WHERE k NOT IN (SELECT k FROM b WHERE b.g = a.g);
SELECT id, k IN (SELECT k FROM b) AS found FROM a;
SELECT id, k NOT IN (SELECT k FROM b WHERE b.g = a.g) AS lost FROM a;
SELECT id, EXISTS (SELECT 1 FROM b WHERE b.k = a.k) AS found FROM a;
