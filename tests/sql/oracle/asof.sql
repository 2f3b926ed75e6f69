-- As-of joins against PostgreSQL's LATERAL (... ORDER BY time LIMIT 1) (run_oracle.py spells them so). Trades are
-- a stream, quotes and limits tables whose rows move in time and between keys as they are replaced; times tie.
CREATE STREAM tr (id INT NOT NULL, k TEXT, j INT, at TIMESTAMPTZ, n NUMERIC, PRIMARY KEY (id));
CREATE TABLE qu (id INT NOT NULL, k TEXT, j INT, at TIMESTAMPTZ, p NUMERIC, PRIMARY KEY (id));
CREATE TABLE li (id INT NOT NULL, k TEXT, n INT, PRIMARY KEY (id));

SELECT t.id, q.id AS qid, q.p FROM tr AS t ASOF JOIN qu AS q ON t.k = q.k AND t.at >= q.at;
SELECT t.id, t.at, q.id AS qid, q.at AS qat, q.p FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND t.at >= q.at;
SELECT t.id, q.id AS qid, q.p FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND t.at > q.at;
SELECT t.id, q.id AS qid, q.p FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND t.at <= q.at;
SELECT t.id, q.id AS qid, q.p FROM tr AS t ASOF JOIN qu AS q ON t.k = q.k AND t.at < q.at;
SELECT t.id, q.id AS qid, q.p FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND t.j = q.j AND t.at >= q.at;
SELECT t.id, q.id AS qid FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND q.p > 5 AND t.at >= q.at;
SELECT q.id, t.id AS tid FROM qu AS q ASOF LEFT JOIN tr AS t ON q.k = t.k AND q.at >= t.at;
SELECT q.id, r.id AS rid, r.p - q.p AS more FROM qu AS q ASOF JOIN qu AS r ON q.k = r.k AND q.at > r.at;
SELECT t.id, l.id AS lid FROM tr AS t ASOF LEFT JOIN li AS l ON t.k = l.k AND t.n >= l.n;
SELECT t.id, l.id AS lid FROM tr AS t ASOF LEFT JOIN li AS l ON true AND t.n < l.n;
SELECT q.k, count(*) AS c, sum(t.n * q.p) AS v, min(q.p) AS least FROM tr AS t ASOF JOIN qu AS q ON t.k = q.k AND t.at >= q.at WHERE t.j > 0 AND q.id > 0 GROUP BY q.k;
SELECT t.id, q.id AS qid, l.id AS lid FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND t.at >= q.at ASOF LEFT JOIN li AS l ON q.k = l.k AND q.p >= l.n;
SELECT a.id, a.qid, m.c FROM (SELECT t.id, t.k, q.id AS qid FROM tr AS t ASOF LEFT JOIN qu AS q ON t.k = q.k AND t.at <= q.at) AS a LEFT JOIN (SELECT k, count(*) AS c FROM qu GROUP BY k) AS m ON a.k = m.k;

\ir rows/asof.sql
