-- What analysts write, clause by clause and function by function. Queries whose output names repeat
-- run ad hoc only.
\ir rows/sales.sql

-- adhoc
SELECT store, count(*), sum(net), avg(net), min(net), max(net), avg(qty), sum(qty), avg(ratio), sum(ratio) FROM sale GROUP BY store ORDER BY store;
SELECT store, sum(net) AS s FROM sale GROUP BY 1 ORDER BY 2 DESC NULLS LAST, 1;
SELECT store, sum(net) AS s FROM sale GROUP BY 1 ORDER BY s DESC;
SELECT store, sum(net) AS s FROM sale GROUP BY 1 ORDER BY s ASC NULLS FIRST, store DESC NULLS LAST LIMIT 3 OFFSET 2;
SELECT store, net / nullif(qty, 0) AS per FROM sale ORDER BY id;
-- adhoc
SELECT id, net / 3, net * 1.5, net - 0.001, -net, abs(net), round(net), round(net,1), round(net/7,3), trunc(net/7,2), ceil(net), floor(net), sign(net), mod(net, 7) FROM sale ORDER BY id;
-- adhoc
SELECT id, qty/2, qty%3, qty*qty, -qty, abs(qty), qty::numeric/3, qty/3.0, qty::float8/3, power(qty,2), sqrt(abs(qty)) FROM sale ORDER BY id;
-- adhoc
SELECT id, ratio, ratio::numeric, ratio::int, ratio::text, round(ratio::numeric,1), ratio*qty, ratio+net FROM sale ORDER BY id;
-- adhoc
SELECT id, date_trunc('hour', at), date_trunc('day', at), date_trunc('week', at), date_trunc('month', at), date_trunc('quarter', at), date_trunc('year', at), date_trunc('minute', at), date_trunc('month', day) FROM sale ORDER BY id;
-- adhoc
SELECT id, extract(hour from at), extract(dow from at), extract(isodow from at), extract(doy from at), extract(week from at), extract(month from day), extract(quarter from at), extract(epoch from at), extract(second from at), extract(year from day), date_part('hour', at), extract(isoyear from at), extract(century from at), extract(milliseconds from at) FROM sale ORDER BY id;
-- adhoc
SELECT id, at + interval '1 month', at - interval '1 day 2 hours', day + 1, day - 7, day + interval '1 day', at::date, at::time, day::timestamp, at - timestamp '2026-01-01', day - date '2026-01-01', age(at, timestamp '2025-01-01'), at::date - day FROM sale ORDER BY id;
-- adhoc
SELECT id, to_char(at, 'YYYY-MM-DD HH24:MI:SS'), to_char(at, 'Dy DD Mon'), to_char(at,'FMMonth FMDD, YYYY HH12:MI AM'), to_char(net, '9990.00'), to_char(net,'FM999,990.0'), to_char(day, 'IYYY-IW'), to_char(qty, '000'), to_char(at, 'Q J D ID') FROM sale ORDER BY id;
SELECT id FROM sale WHERE item LIKE 'p%' ORDER BY id;
SELECT id FROM sale WHERE item NOT LIKE '%n' ORDER BY id;
SELECT id FROM sale WHERE item ILIKE 'P_N' ORDER BY id;
SELECT id FROM sale WHERE item ~ '^p' ORDER BY id;
SELECT id FROM sale WHERE item !~* 'N$' ORDER BY id;
-- adhoc
SELECT id, regexp_replace(item,'[aeiou]','_','g'), regexp_replace(item, '(p)(.)', '\2\1') FROM sale ORDER BY id;
-- adhoc
SELECT id, item LIKE '_n%', item LIKE '%''%' FROM sale ORDER BY id;
SELECT id FROM sale WHERE qty BETWEEN 2 AND 4 ORDER BY id;
SELECT id FROM sale WHERE qty NOT BETWEEN 2 AND 4 ORDER BY id;
SELECT id FROM sale WHERE qty BETWEEN SYMMETRIC 4 AND 2 ORDER BY id;
SELECT id FROM sale WHERE day BETWEEN '2026-01-10' AND '2026-01-20' ORDER BY id;
SELECT id FROM sale WHERE store IN (1,2,NULL) ORDER BY id;
SELECT id FROM sale WHERE store NOT IN (1,2) ORDER BY id;
SELECT id FROM sale WHERE store NOT IN (1,2,NULL) ORDER BY id;
SELECT id FROM sale WHERE item IN ('pen','ink') AND paid IS NOT TRUE ORDER BY id;
SELECT id FROM sale WHERE store = ANY('{1,2}') ORDER BY id;
SELECT id FROM sale WHERE store = ANY(ARRAY[1,2]) ORDER BY id;
SELECT id FROM sale WHERE store <> ALL(ARRAY[1,2]) ORDER BY id;
SELECT id FROM sale WHERE store IN (SELECT store FROM store WHERE region = 'east') ORDER BY id;
SELECT id FROM sale WHERE store NOT IN (SELECT store FROM store WHERE region = 'east') ORDER BY id;
SELECT id FROM sale s WHERE EXISTS (SELECT 1 FROM store t WHERE t.store = s.store AND t.region IS NOT NULL) ORDER BY id;
SELECT id FROM sale s WHERE NOT EXISTS (SELECT 1 FROM store t WHERE t.store = s.store) ORDER BY id;
SELECT id, (SELECT name FROM store t WHERE t.store = s.store) FROM sale s ORDER BY id;
SELECT id, net - (SELECT avg(net) FROM sale) FROM sale ORDER BY id;
SELECT id, net > (SELECT max(net)/2 FROM sale) FROM sale ORDER BY id;
SELECT id, CASE WHEN net > 100 THEN 'big' WHEN net > 0 THEN 'small' ELSE 'neg' END FROM sale ORDER BY id;
SELECT id, CASE item WHEN 'pen' THEN 1 WHEN 'ink' THEN 2 END FROM sale ORDER BY id;
-- adhoc
SELECT id, CASE WHEN qty > 0 THEN net ELSE 0 END, CASE WHEN qty > 0 THEN 1 ELSE 2.5 END, CASE WHEN paid THEN qty ELSE NULL END FROM sale ORDER BY id;
-- adhoc
SELECT sum(CASE WHEN paid THEN net ELSE 0 END), sum(net) FILTER (WHERE paid), count(*) FILTER (WHERE qty > 2), count(item), count(DISTINCT item), sum(DISTINCT qty) FROM sale;
-- adhoc
SELECT id, coalesce(qty,0), coalesce(item,'?'), coalesce(net, ratio::numeric, 0), nullif(item,''), greatest(qty, store), least(qty,store,NULL), greatest(net, 50), coalesce(day, at::date) FROM sale ORDER BY id;
-- adhoc
SELECT id, net::int, net::text, net::float8, qty::text, qty::bigint, paid::text, paid::int, item::varchar(2), day::text, at::text, (net::int)::boolean, '12'::int + qty, cast(net as numeric(8,1)), net::numeric(20,4) FROM sale ORDER BY id;
-- adhoc
SELECT id, qty IS NULL, qty IS NOT DISTINCT FROM store, qty IS DISTINCT FROM 3, paid IS TRUE, paid IS NOT FALSE, paid IS UNKNOWN, NOT paid, paid AND qty > 1, paid OR qty > 1 FROM sale ORDER BY id;
SELECT region, count(*) FROM sale LEFT JOIN store USING (store) GROUP BY region ORDER BY region NULLS FIRST;
SELECT s.id, t.name FROM sale s LEFT JOIN store t ON t.store = s.store AND t.region = 'east' ORDER BY s.id;
SELECT t.store, t.name, count(s.id), coalesce(sum(s.net),0) FROM store t LEFT JOIN sale s ON s.store = t.store GROUP BY t.store, t.name ORDER BY 1;
SELECT * FROM sale JOIN store USING (store) ORDER BY id;
-- adhoc
SELECT * FROM store t RIGHT JOIN sale s ON s.store = t.store ORDER BY s.id;
-- adhoc
SELECT a.id, b.id FROM sale a JOIN sale b ON a.store = b.store AND a.id < b.id AND a.item = b.item ORDER BY 1,2;
SELECT count(*) FROM sale CROSS JOIN store;
SELECT count(*) FROM sale, store WHERE sale.store = store.store;
SELECT x.store, x.total FROM (SELECT store, sum(net) AS total FROM sale GROUP BY store) x WHERE x.total > 300 ORDER BY 2 DESC;
SELECT avg(total), max(total) FROM (SELECT store, sum(net) AS total FROM sale GROUP BY store) x;
WITH t AS (SELECT store, sum(net) AS total FROM sale GROUP BY store) SELECT t.*, s.name FROM t LEFT JOIN store s USING (store) ORDER BY total DESC NULLS LAST;
SELECT store, count(*) FROM sale GROUP BY store HAVING count(*) > 10 ORDER BY 1;
SELECT store, count(*) FROM sale GROUP BY store HAVING sum(net) > 300 AND bool_or(paid) ORDER BY count(*) DESC, store;
-- adhoc
SELECT bool_and(paid), bool_or(paid), every(qty > -5), min(item), max(item), min(at), max(day), min(paid::int) FROM sale;
SELECT DISTINCT store, paid FROM sale ORDER BY 1, 2;
SELECT DISTINCT item FROM sale ORDER BY item DESC NULLS LAST;
SELECT date_trunc('day', at) AS d, item, sum(net) FROM sale GROUP BY d, item ORDER BY d, item;
SELECT date_trunc('day', at)::date AS d, count(*) FROM sale GROUP BY 1 ORDER BY 1;
SELECT extract(hour from at) AS h, count(*) FROM sale GROUP BY 1 ORDER BY 1;
SELECT to_char(at,'YYYY-MM') m, sum(qty) FROM sale GROUP BY m ORDER BY m;
SELECT store % 2 AS odd, round(avg(net),2) FROM sale GROUP BY store % 2 ORDER BY odd;
SELECT store, 100 * count(*) FILTER (WHERE paid) / count(*) AS pct, count(*) FILTER (WHERE paid)::numeric / count(*) FROM sale GROUP BY store ORDER BY 1;
SELECT window_start, count(*), sum(net) FROM TUMBLE(sale, at, INTERVAL '1 day') GROUP BY window_start ORDER BY 1;
SELECT window_start, window_end, store, count(*) FROM TUMBLE(sale, at, INTERVAL '6 hours') GROUP BY 1,2,3 ORDER BY 1,3;
SELECT id FROM sale ORDER BY net DESC NULLS LAST, id LIMIT 5;
SELECT id FROM sale ORDER BY net DESC, id LIMIT 5;
SELECT id, net FROM sale ORDER BY net + coalesce(qty,0), id LIMIT 7 OFFSET 3;
SELECT id, net AS x FROM sale ORDER BY x NULLS FIRST, id FETCH FIRST 5 ROWS ONLY;
SELECT item, id FROM sale ORDER BY lower(item) DESC, id;
SELECT store FROM sale UNION ALL SELECT store FROM store ORDER BY 1;
SELECT store FROM sale UNION SELECT store FROM store ORDER BY 1;
SELECT count(*) FROM (SELECT store, item FROM sale UNION ALL SELECT store, body FROM note) u;
SELECT 'total' AS store, sum(net) FROM sale UNION ALL SELECT store::text, sum(net) FROM sale GROUP BY store ORDER BY 1;
-- adhoc
SELECT max(net) - min(net), count(*)::int, sum(qty)::float8/count(*), sum(net)/count(net) FROM sale;
-- adhoc
SELECT 1/3.0, 2/3, 10::numeric/3, 1e10/3, 0.1+0.2, 0.1::float8+0.2::float8, 7 % -3, -7 / 2, -7 % 2, 2^10, 10^(-2), 5!=4, |/ 16.0, @ -5;
-- adhoc
SELECT '2026-01-31'::date + interval '1 month', '2026-03-31 12:00'::timestamp - interval '1 month', interval '1 day' * 2.5, interval '90 minutes', justify_hours(interval '30 hours'), extract(epoch from interval '1 day 1 hour'), interval '1 year 2 months' / 2;
-- adhoc
SELECT null + 1, null || 'a', null = null, null is null, 'a' < 'B', 'a' < 'b', '' = ' ', 'ä' > 'z', true > false, null and false, null or true;
-- adhoc
SELECT '{"a":{"b":[1,2,{"c":null}]}}'::jsonb -> 'a' -> 'b' ->> 1, '{"a":1}'::jsonb ->> 'a', '{"a":1}'::jsonb @> '{"a":1}', '[1,2]'::jsonb -> 0, '{"a":{"b":5}}'::jsonb #>> '{a,b}', jsonb_typeof('[1]'), jsonb_array_length('[1,2]'), '{"a":1}'::jsonb ? 'a', '{"a":1}'::jsonb || '{"b":2}';
-- adhoc
SELECT length('äöü'), upper('äöüß'), lower('ÄÖÜ'), initcap('hello wORLD-x'), substring('abc' from 0 for 2), substring('hello' from 'l+'), left('abc',-1), right('abc',-1), lpad('abc',2), trim('  x '), rtrim('xx  '), position('' in 'abc'), split_part('a,b,c',',',-1), split_part('a,b',',',5), strpos('äb','b');
-- adhoc
SELECT id, at AT TIME ZONE 'UTC', at AT TIME ZONE 'Europe/Berlin', (at AT TIME ZONE 'UTC') AT TIME ZONE 'America/New_York' FROM sale ORDER BY id LIMIT 5;
-- adhoc
SELECT timestamptz '2026-07-01 12:00+02', timestamptz '2026-07-01 12:00 Europe/Berlin', '2026-07-01T12:00:00.123456Z'::timestamptz, extract(timezone from timestamptz '2026-01-01 00:00+00'), date_trunc('day', timestamptz '2026-07-01 23:00+00', 'Europe/Berlin');
-- adhoc
SELECT 'infinity'::timestamp, '-infinity'::date, 'epoch'::timestamp, 'NaN'::float8, 'Infinity'::float8, 'NaN'::float8 = 'NaN'::float8, '1e3'::float8, ' 42 '::int, '0x1'::text, 'yes'::bool, 'off'::bool, 't'::bool;
-- adhoc
SELECT count(*), count(store), count(DISTINCT store), sum(1), sum(NULL::int), avg(NULL::numeric), max(NULL::text) FROM sale WHERE id < 0;
SELECT store, count(*) FROM sale WHERE id < 0 GROUP BY store;
-- adhoc
SELECT sum(qty * net), avg(qty * 1.0), sum(net)::numeric(10,1), round(sum(net) / nullif(sum(qty),0), 4) FROM sale;
SELECT store, min(item) FILTER (WHERE qty > 3), max(net) FILTER (WHERE paid) FROM sale GROUP BY store ORDER BY store;
SELECT upper(item) AS u, count(*) FROM sale GROUP BY u HAVING count(*) > 3 ORDER BY u NULLS LAST;
SELECT upper(item), count(*) FROM sale GROUP BY upper(item) ORDER BY upper(item);
SELECT qty AS store, count(*) AS c FROM sale GROUP BY store, qty ORDER BY store, c;
SELECT s.* FROM sale s WHERE s.net = (SELECT max(net) FROM sale);
SELECT s.store, n.body FROM sale s JOIN note n ON n.store = s.store WHERE s.id < 20 ORDER BY 1,2;
SELECT s.id FROM sale s JOIN store t ON t.store = s.store JOIN note n ON n.store = t.store WHERE n.body = 'a' ORDER BY 1;
-- adhoc
SELECT a.store, b.store FROM store a LEFT JOIN store b ON a.store = b.store + 1 ORDER BY 1;
SELECT s.id, t.name FROM sale s LEFT JOIN store t USING (store) WHERE t.name IS NULL ORDER BY 1;
SELECT * FROM (VALUES (1,'a'),(2,NULL),(3,'c')) AS v(n, t) ORDER BY n DESC;
SELECT v.t, count(s.id) FROM (VALUES (1,'one'),(2,'two'),(99,'none')) AS v(n,t) LEFT JOIN sale s ON s.store = v.n GROUP BY v.t ORDER BY 1;
SELECT id FROM sale WHERE at >= '2026-01-03' AND at < '2026-01-04' ORDER BY id;
SELECT id FROM sale WHERE at::date = '2026-01-03' ORDER BY id;
SELECT id FROM sale WHERE day IS NULL OR day > at::date ORDER BY id;
SELECT id FROM sale WHERE net > 100 AND NOT (item = 'pen' OR item IS NULL) ORDER BY id;
SELECT id FROM sale WHERE paid ORDER BY id;
SELECT id FROM sale WHERE paid = false ORDER BY id;
SELECT id FROM sale WHERE paid <> true ORDER BY id;
SELECT id FROM sale WHERE 'pen' = item ORDER BY id;
SELECT id FROM sale WHERE net = '102.57';
SELECT id FROM sale WHERE net = 102.57::float8;
SELECT id FROM sale WHERE id = 1.0;
SELECT id FROM sale WHERE length(item) > 3 AND item > 'i' ORDER BY id;
-- adhoc
SELECT concat('a', NULL, 1, true, 1.5), 'x' || 1, 1 || 'x', 'a' || NULL, concat_ws(',', 'a', NULL, 'b'), format('%I %L %s', 'a b', 'it''s', 5);
-- adhoc
SELECT CAST('1' AS int) + '2', '5' * 2, '2026-01-01' > date '2025-01-01', '3'::numeric = 3, 1 = 1.0, 'abc' = 'abc ';
SELECT sum(net) AS "Total Net", count(*) "n" FROM sale;
-- adhoc
SELECT sale.store, sale.* FROM sale WHERE id = 2;
SELECT (SELECT count(*) FROM sale) AS a, (SELECT count(*) FROM store) AS b;
SELECT store.name, sale.item FROM store, sale WHERE sale.store = store.store AND sale.id = 2;
SELECT store, name FROM store WHERE opened > '2000-01-01' OR opened IS NULL ORDER BY opened DESC NULLS LAST, store;
-- adhoc
SELECT max(at)::date - min(at)::date, max(at) - min(at) FROM sale;
SELECT store, count(*) c FROM sale GROUP BY store ORDER BY count(*) DESC, store NULLS LAST;
SELECT store, count(*) c, sum(net)/count(*) FROM sale GROUP BY store ORDER BY -count(*), store;
SELECT store, round(100.0 * sum(net) / (SELECT sum(net) FROM sale), 1) AS pct FROM sale GROUP BY store;
SELECT sum(net) / (SELECT count(*) FROM store) AS a FROM sale;
SELECT sum(net) AS b, (SELECT count(*) FROM store) AS a FROM sale WHERE id < 0;
SELECT store, count(*) AS n FROM sale GROUP BY store HAVING sum(net) > (SELECT avg(net) * 10 FROM sale);
SELECT count(*) AS n FROM sale HAVING sum(net) > (SELECT avg(net) FROM sale);
SELECT store, (SELECT name FROM store t WHERE t.store = s.store) AS name, count(*) AS n FROM sale s GROUP BY store;
SELECT (SELECT name FROM store t WHERE t.store = s.store) AS name, count(*) AS n FROM sale s GROUP BY name;
SELECT store, sum(net) - (SELECT sum(net) FROM sale) AS a, sum(qty) - (SELECT sum(qty) FROM sale) AS b, (SELECT max(name) FROM store) AS c FROM sale GROUP BY store;
SELECT (SELECT max(net) FROM sale) AS m, count(*) AS n FROM sale GROUP BY 1;
SELECT t.store, t.name, t.region, count(*) AS n, sum(s.net) AS net FROM store t JOIN sale s ON s.store = t.store GROUP BY t.store;
SELECT t.store, upper(t.name) AS u, count(s.id) AS n FROM store t LEFT JOIN sale s USING (store) GROUP BY t.store HAVING t.region IS NOT NULL;
SELECT t.name, count(*) AS n FROM sale s LEFT JOIN store t ON s.store = t.store GROUP BY t.store;
SELECT id, net, item FROM sale GROUP BY id;
SELECT store.*, count(*) AS n FROM store, note WHERE note.store = store.store GROUP BY store.store;
