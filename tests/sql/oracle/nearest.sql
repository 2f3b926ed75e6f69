-- Correlated sub-queries that are the nearest row of another table, which become as-of joins, and such that nearly are.
CREATE STREAM tr (id INT NOT NULL, k TEXT, j INT, at TIMESTAMPTZ, n NUMERIC, PRIMARY KEY (id));
CREATE TABLE qu (id INT NOT NULL, k TEXT, j INT, at TIMESTAMPTZ, p NUMERIC, PRIMARY KEY (id));
CREATE TABLE li (id INT NOT NULL, k TEXT, n INT, PRIMARY KEY (id));

SELECT t.id, q.p FROM tr AS t, LATERAL (SELECT q.p FROM qu AS q WHERE q.k = t.k AND q.at <= t.at ORDER BY q.at DESC, q.id DESC LIMIT 1) AS q;
SELECT t.id, q.at AS qat FROM tr AS t, LATERAL (SELECT q.at FROM qu AS q WHERE q.k = t.k AND q.at <= t.at ORDER BY q.at DESC LIMIT 1) AS q;
SELECT t.id, q.at AS qat, q.k AS qk FROM tr AS t LEFT JOIN LATERAL (SELECT q.at, q.k FROM qu AS q WHERE q.k = t.k AND t.at > q.at ORDER BY q.at DESC LIMIT 1) AS q ON true;
SELECT t.id, q.x, q.y FROM tr AS t LEFT JOIN LATERAL (SELECT coalesce(q.at, t.at) AS x, t.j AS y FROM qu AS q WHERE q.k = t.k AND t.at <= q.at ORDER BY q.at LIMIT 1) AS q ON true;
SELECT t.id, q.at AS qat FROM tr AS t JOIN LATERAL (SELECT q.at FROM qu AS q WHERE q.k = t.k AND t.at < q.at ORDER BY q.at LIMIT 1) AS q ON q.at < '2026-01-01 00:08:00Z';
SELECT t.id, q.at AS qat FROM tr AS t LEFT JOIN LATERAL (SELECT q.at FROM qu AS q WHERE q.k = t.k AND t.at < q.at ORDER BY q.at LIMIT 1) AS q ON q.at < '2026-01-01 00:08:00Z';
SELECT t.id, (SELECT q.at FROM qu AS q WHERE q.k = t.k AND q.at <= t.at AND q.p > 4 ORDER BY q.at DESC LIMIT 1) AS qat FROM tr AS t;
SELECT t.id, (SELECT l.n FROM li AS l WHERE l.n <= t.n ORDER BY l.n DESC LIMIT 1) AS n FROM tr AS t;
SELECT t.id, (SELECT l.n + t.j FROM li AS l WHERE l.k = t.k AND l.n > t.j ORDER BY l.n LIMIT 1) AS n FROM tr AS t;
SELECT t.id, (SELECT max(q.at) FROM qu AS q WHERE q.k = t.k AND q.at <= t.at) AS qat FROM tr AS t;
SELECT t.id, (SELECT coalesce(max(q.at), t.at) FROM qu AS q WHERE q.k = t.k AND q.at < t.at) AS qat FROM tr AS t;
SELECT t.id, (SELECT min(q.at) FROM qu AS q WHERE q.at > t.at AND q.j = t.j) AS qat FROM tr AS t;
SELECT t.id, (SELECT max(q.at) FROM qu AS q WHERE q.k = t.k AND q.at >= t.at) AS qat FROM tr AS t;
SELECT t.id, (SELECT max(l.n) FROM li AS l WHERE l.k = t.k AND l.n <= t.n) AS n FROM tr AS t;
SELECT t.id, q.m FROM tr AS t, LATERAL (SELECT max(q.at) AS m FROM qu AS q WHERE q.k = t.k AND q.at <= t.at) AS q WHERE t.j > 0;
SELECT t.id FROM tr AS t WHERE t.at > (SELECT min(q.at) FROM qu AS q WHERE q.k = t.k AND q.at > t.at - INTERVAL '3 minutes');
SELECT t.id, (SELECT q.at FROM qu AS q WHERE q.k = t.k AND q.at <= t.at ORDER BY q.at DESC OFFSET 1 LIMIT 1) AS qat FROM tr AS t;
SELECT t.id, (SELECT q.at FROM qu AS q WHERE q.k = t.k AND q.at >= t.at AND q.at < t.at + INTERVAL '2 minutes' ORDER BY q.at LIMIT 1) AS qat FROM tr AS t;
SELECT t.id, (SELECT q.at FROM qu AS q WHERE q.k IS NOT DISTINCT FROM t.k AND q.at <= t.at ORDER BY q.at DESC LIMIT 1) AS qat FROM tr AS t;
SELECT t.k, count(*) AS c FROM tr AS t WHERE EXISTS (SELECT 1 FROM qu AS q WHERE q.k = t.k AND (SELECT max(l.n) FROM li AS l WHERE l.k = q.k AND l.n <= t.n) > 3) GROUP BY t.k;
SELECT t.id, (SELECT (SELECT max(l.n) FROM li AS l WHERE l.k = q.k AND l.n <= q.p) FROM qu AS q WHERE q.id = t.id) AS n FROM tr AS t;
SELECT t.id, (SELECT q.at FROM (SELECT k, max(at) AS at FROM qu GROUP BY k, j) AS q WHERE q.k = t.k AND q.at <= t.at ORDER BY q.at DESC LIMIT 1) AS qat FROM tr AS t;
SELECT t.id, (SELECT q.id FROM qu AS q WHERE q.k = t.k AND q.at <= t.at ORDER BY q.at DESC, q.j, q.id LIMIT 1) AS q FROM tr AS t;
SELECT t.id, (SELECT q.id FROM qu AS q WHERE q.k = t.k AND q.at >= t.at ORDER BY q.at, q.j DESC, q.p, q.id DESC LIMIT 1) AS q FROM tr AS t;
SELECT t.id, q.id AS qid FROM tr AS t LEFT JOIN LATERAL (SELECT q.id FROM qu AS q WHERE q.at < t.at ORDER BY q.at DESC, q.p - q.j DESC, q.id LIMIT 1) AS q ON true;
SELECT q.id, (SELECT t.id FROM tr AS t WHERE q.k = t.k AND q.at >= t.at ORDER BY t.at DESC, t.n, t.id DESC LIMIT 1) AS t FROM qu AS q;
SELECT q.id, (SELECT t.id FROM tr AS t WHERE q.k = t.k AND q.at >= t.at ORDER BY t.at DESC, t.n DESC, t.id DESC LIMIT 1) AS t FROM qu AS q;
SELECT q.id, (SELECT t.id FROM tr AS t WHERE q.k = t.k AND q.at >= t.at ORDER BY t.at DESC, t.n NULLS FIRST, t.id DESC LIMIT 1) AS t FROM qu AS q;

\ir rows/asof.sql
