-- Window functions: every function and frame, over a table that changes and a stream that grows.
\ir rows/staff.sql

SELECT id, row_number() OVER (ORDER BY id) AS n FROM staff;
SELECT id, row_number() OVER (PARTITION BY dept ORDER BY pay DESC, id) AS n, rank() OVER (PARTITION BY dept ORDER BY grade) AS r, dense_rank() OVER (PARTITION BY dept ORDER BY grade DESC NULLS LAST) AS dr FROM staff;
SELECT id, percent_rank() OVER (PARTITION BY dept ORDER BY grade) AS p, cume_dist() OVER (ORDER BY grade NULLS FIRST, dept) AS c FROM staff;
SELECT id, ntile(3) OVER (ORDER BY id) AS t, ntile(7) OVER (PARTITION BY dept ORDER BY pay, id) AS u FROM staff;
SELECT id, lag(pay) OVER (ORDER BY id) AS a, lag(pay, 2, 0) OVER (PARTITION BY dept ORDER BY id) AS b, lead(name, 1, '?') OVER (ORDER BY name, id DESC) AS c, lead(grade, grade, -1) OVER (ORDER BY id) AS d, lag(id, -2) OVER (ORDER BY id) AS e, lag(id, NULL) OVER (ORDER BY id) AS f FROM staff;
SELECT id, first_value(name) OVER w AS f, last_value(name) OVER w AS l, nth_value(name, 2) OVER w AS s FROM staff WINDOW w AS (PARTITION BY dept ORDER BY id);
SELECT id, first_value(pay) OVER (w ROWS BETWEEN 2 PRECEDING AND 1 PRECEDING) AS f, last_value(pay) OVER (w ROWS BETWEEN CURRENT ROW AND UNBOUNDED FOLLOWING) AS l, nth_value(pay, 3) OVER (w ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE CURRENT ROW) AS s FROM staff WINDOW w AS (PARTITION BY dept ORDER BY id);
SELECT id, sum(pay) OVER (PARTITION BY dept ORDER BY grade) AS s, count(*) OVER (PARTITION BY dept ORDER BY grade) AS n, count(pay) OVER (PARTITION BY dept) AS m, avg(pay) OVER () AS a, min(name) OVER (ORDER BY grade) AS mi, max(d) OVER (PARTITION BY grade ORDER BY dept DESC) AS ma FROM staff;
SELECT id, round(stddev(pay) OVER (ORDER BY id ROWS 4 PRECEDING), 6) AS sd, bit_or(grade) OVER (PARTITION BY dept ORDER BY id) AS bo, corr(bonus, grade) OVER (PARTITION BY ok) IS NULL AS co, sum(bonus) OVER (ORDER BY id) AS s, avg(bonus) OVER (ORDER BY id ROWS 3 PRECEDING) AS a, bool_and(ok) OVER (PARTITION BY dept ORDER BY id) AS b, bool_or(ok) OVER (ORDER BY grade) AS o, every(ok) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS e FROM staff;
SELECT id, sum(pay) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING) AS a, sum(grade) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS b, min(pay) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 1 PRECEDING) AS c, max(pay) OVER (ORDER BY id ROWS BETWEEN 1 FOLLOWING AND 4 FOLLOWING) AS d, count(*) OVER (ORDER BY id ROWS BETWEEN 3 FOLLOWING AND UNBOUNDED FOLLOWING) AS e FROM staff;
SELECT id, sum(pay) OVER (ORDER BY grade RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, sum(pay) OVER (ORDER BY grade DESC RANGE BETWEEN 1 PRECEDING AND 1 FOLLOWING) AS b, count(*) OVER (ORDER BY grade NULLS FIRST RANGE BETWEEN CURRENT ROW AND 1 FOLLOWING) AS c, count(*) OVER (ORDER BY grade DESC NULLS LAST RANGE BETWEEN 2 PRECEDING AND 1 PRECEDING) AS d, count(*) OVER (ORDER BY grade RANGE BETWEEN 1 FOLLOWING AND UNBOUNDED FOLLOWING) AS e FROM staff;
SELECT id, count(*) OVER (ORDER BY hired RANGE BETWEEN INTERVAL '1 day' PRECEDING AND CURRENT ROW) AS a, sum(pay) OVER (PARTITION BY dept ORDER BY hired RANGE BETWEEN '12 hours' PRECEDING AND '6 hours' FOLLOWING) AS b, count(*) OVER (ORDER BY d RANGE BETWEEN INTERVAL '1 month' PRECEDING AND INTERVAL '3 days' PRECEDING) AS c, count(*) OVER (ORDER BY d DESC RANGE BETWEEN INTERVAL '10 days' PRECEDING AND INTERVAL '10 days' FOLLOWING) AS e FROM staff;
SELECT id, count(*) OVER (ORDER BY pay RANGE BETWEEN 20.5 PRECEDING AND 10 FOLLOWING) AS a, count(*) OVER (ORDER BY bonus RANGE BETWEEN 1.5 PRECEDING AND 0 FOLLOWING) AS b, max(id) OVER (ORDER BY pay DESC RANGE 50 PRECEDING) AS c FROM staff;
SELECT id, sum(id) OVER (ORDER BY grade GROUPS BETWEEN 1 PRECEDING AND CURRENT ROW) AS a, sum(id) OVER (PARTITION BY dept ORDER BY grade GROUPS BETWEEN 1 FOLLOWING AND 2 FOLLOWING) AS b, count(*) OVER (ORDER BY grade, dept GROUPS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS c, count(*) OVER (ORDER BY grade GROUPS CURRENT ROW) AS d FROM staff;
SELECT id, sum(id) OVER (ORDER BY grade RANGE UNBOUNDED PRECEDING EXCLUDE CURRENT ROW) AS a, sum(id) OVER (ORDER BY grade RANGE UNBOUNDED PRECEDING EXCLUDE GROUP) AS b, sum(id) OVER (ORDER BY grade RANGE UNBOUNDED PRECEDING EXCLUDE TIES) AS c, min(id) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) AS d, count(*) OVER (ORDER BY grade GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE GROUP) AS e, max(id) OVER (ORDER BY grade ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES) AS f FROM staff;
SELECT id, count(*) FILTER (WHERE ok) OVER (PARTITION BY dept ORDER BY id) AS a, sum(pay) FILTER (WHERE pay > 100) OVER (ORDER BY id ROWS BETWEEN 3 PRECEDING AND 3 FOLLOWING) AS b, max(pay) FILTER (WHERE grade = 2) OVER (ORDER BY id ROWS 5 PRECEDING) AS c FROM staff;
SELECT dept, count(*) AS n, sum(count(*)) OVER (ORDER BY dept) AS running, rank() OVER (ORDER BY sum(pay) DESC NULLS LAST, dept) AS r, sum(pay) / sum(sum(pay)) OVER () AS share FROM staff GROUP BY dept;
SELECT dept, grade, count(*) AS n, sum(count(*)) OVER (PARTITION BY dept) AS of_dept, count(*) OVER () AS grps FROM staff GROUP BY dept, grade HAVING count(*) > 1;
-- adhoc
SELECT id, pay FROM staff ORDER BY row_number() OVER (ORDER BY pay DESC, id) LIMIT 5;
SELECT id, row_number() OVER (ORDER BY id) + rank() OVER (ORDER BY id DESC) AS x, sum(pay) OVER (PARTITION BY dept, grade) - pay AS y, CASE WHEN lag(dept) OVER (ORDER BY id) = dept THEN 'same' ELSE 'other' END AS z FROM staff;
SELECT id, sum(x) OVER (ORDER BY id) AS xx FROM (SELECT id, count(*) OVER (PARTITION BY dept ORDER BY id) AS x FROM staff) AS s;
SELECT DISTINCT dept, count(*) OVER (PARTITION BY dept) AS n FROM staff;
SELECT s.id, c.id AS click, row_number() OVER (PARTITION BY s.id ORDER BY c.at, c.id) AS n FROM staff AS s JOIN click AS c ON c.person = s.grade;
SELECT id, at - lag(at) OVER (PARTITION BY person ORDER BY at, id) AS gap, sum(ms) OVER (PARTITION BY person ORDER BY at, id) AS total, count(*) OVER (PARTITION BY page ORDER BY at RANGE BETWEEN INTERVAL '10 minutes' PRECEDING AND CURRENT ROW) AS recent FROM click;
SELECT person, page, count(*) AS n, rank() OVER (PARTITION BY person ORDER BY count(*) DESC) AS r FROM click GROUP BY person, page;
SELECT id, lag(id) OVER w AS before, lead(id) OVER w AS after FROM click WINDOW w AS (PARTITION BY person ORDER BY at, id);
SELECT id, person, ms, n FROM (SELECT *, row_number() OVER (PARTITION BY person ORDER BY at DESC, id DESC) AS n FROM click) AS c WHERE n <= 2;
SELECT id, person, at FROM (SELECT *, row_number() OVER (PARTITION BY person, page ORDER BY at, id) AS n FROM click) AS c WHERE n = 1;
SELECT id, dept, pay, r FROM (SELECT *, rank() OVER (PARTITION BY dept ORDER BY pay DESC NULLS LAST) AS r FROM staff) AS s WHERE r <= 3;
SELECT id, dept, grade FROM (SELECT *, dense_rank() OVER (PARTITION BY dept ORDER BY grade) AS r FROM staff) AS s WHERE r < 3 AND dept IS NOT NULL;
SELECT id, dept FROM (SELECT *, row_number() OVER (ORDER BY pay, id) AS r FROM staff) AS s WHERE r BETWEEN 3 AND 6;
SELECT id FROM (SELECT id, rank() OVER (ORDER BY grade) AS r FROM staff) AS s WHERE r = 1;
SELECT id, n FROM (SELECT id, row_number() OVER (PARTITION BY dept ORDER BY id) AS n, count(*) OVER (PARTITION BY dept) AS c FROM staff) AS s WHERE n <= 2 AND c > 3;
SELECT dept, max(pay) AS top FROM (SELECT dept, pay, row_number() OVER (PARTITION BY dept ORDER BY pay, id) AS n FROM staff) AS s WHERE n <= 4 GROUP BY dept;
