-- Expressions that stand more than once, where they are worked out once; what is guarded must stay guarded.
\ir rows/measures.sql

SELECT id, upper(t) AS a, upper(t) || '!' AS b, length(upper(t)) AS c FROM m WHERE upper(t) <> 'PAPER';
SELECT id, CASE WHEN lower(t) = 'x,y' THEN 1 WHEN lower(t) = 'paper' THEN 2 ELSE length(lower(t)) END AS c FROM m WHERE lower(t) LIKE 'p%' OR lower(t) = 'x,y' OR lower(g) = 'a';
SELECT id, substring(t FROM '(.)a') AS s FROM s WHERE substring(t FROM '(.)a') IS NOT NULL OR g = 'b';
SELECT id FROM m WHERE round(n, 1) BETWEEN round(p, 1) - 1000 AND round(p, 1) + 1000 AND round(p, 1) > 0;
SELECT id, CASE WHEN i2 <> 0 THEN div(i8, i2) END AS a, CASE WHEN i2 <> 0 THEN div(i8, i2) + 1 END AS b FROM m;
SELECT id, coalesce(t, repeat(g, 3)) AS a, coalesce(g, repeat(g, 3)) AS b, repeat(g, 3) AS c FROM s;
SELECT id, ln(abs(f8) + 1) > 1 AND ln(abs(f8) + 1) < 5 AS a, g IN (upper(g), lower(g)) AS b, lower(g) = upper(lower(g)) AS c FROM m;
SELECT date_trunc('month', at) AS m, count(*) AS n FROM s WHERE date_trunc('month', at) > '2025-01-01' GROUP BY date_trunc('month', at);
SELECT upper(q.u) AS a, upper(q.u) || q.u AS b FROM (SELECT lower(t) || lower(g) AS u FROM m WHERE lower(g) <> 'c') q WHERE upper(q.u) > 'B';
SELECT id FROM m WHERE length(t) > 3 UNION ALL SELECT id FROM s WHERE length(t) > 3 AND length(t) < 5;
SELECT regexp_replace(t, 'p', 'q', 'g') AS a, t ~ '^pa' AS b, t ~ 'en $' AS c, regexp_replace(t, '(.?)p(.)', '\2\1') AS d, t ~ '(x|y),' AS e, t ~ 'a+p{1,2}er' AS f, regexp_replace(t, 'e\M', '-') AS h FROM m;
