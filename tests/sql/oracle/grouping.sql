-- Grouping sets over rows that are replaced.
\ir rows/measures.sql

SELECT g, ok, count(*) AS n, sum(i2) AS s FROM m GROUP BY ROLLUP (g, ok);
SELECT g, ok, t, count(*) AS n, max(i2) AS s FROM m GROUP BY CUBE (g, ok, t);
SELECT g, ok, count(*) AS n, grouping(g, ok) AS which, grouping(ok) AS o FROM m GROUP BY GROUPING SETS ((g, ok), (g), (ok), ());
SELECT g, ok, count(*) AS n FROM m GROUP BY g, GROUPING SETS ((ok), ());
SELECT g, sum(i2) AS s, string_agg(g, ',' ORDER BY id) AS l FROM m GROUP BY GROUPING SETS ((g), (g), ());
SELECT g, ok, d, count(*) AS n FROM m GROUP BY ROLLUP (g, (ok, d));
SELECT g, count(*) AS n, sum(i2) AS s FROM m WHERE id < 0 GROUP BY ROLLUP (g);
SELECT count(*) AS n, sum(i2) AS s FROM m WHERE id < 0 GROUP BY GROUPING SETS ((), ());
SELECT 1 AS one FROM m WHERE id < 0 GROUP BY ();
SELECT g, i2 % 3 AS r, count(DISTINCT t) AS n, min(t) AS least FROM m GROUP BY CUBE (1, 2);
SELECT g || '!' AS x, count(*) AS n FROM m GROUP BY ROLLUP (g) HAVING count(*) > 3 OR grouping(g) = 1;
SELECT g, n FROM (SELECT g, count(*) AS n FROM m GROUP BY ROLLUP (g)) AS r WHERE g = 'a';
SELECT g, count(*) AS n FROM s GROUP BY ROLLUP (g) ORDER BY grouping(g), g;
