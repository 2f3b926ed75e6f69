-- Lists as window functions, over every kind of frame.
\ir rows/staff.sql

SELECT id, string_agg(name, ',') OVER (ORDER BY id) AS a, string_agg(dept::text, name) OVER (PARTITION BY dept ORDER BY id DESC) AS b, string_agg(name, NULL) OVER (PARTITION BY grade ORDER BY id) AS c FROM staff;
SELECT id, array_agg(grade) OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 1 FOLLOWING) AS a, array_agg(pay) OVER (PARTITION BY dept ORDER BY id) AS b, array_agg(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS c FROM staff;
SELECT id, jsonb_agg(name) OVER (PARTITION BY dept ORDER BY id ROWS 3 PRECEDING) AS a, jsonb_object_agg(id, grade) OVER (ORDER BY id ROWS BETWEEN CURRENT ROW AND 2 FOLLOWING) AS b FROM staff;
SELECT id, string_agg(name, '-') OVER (ORDER BY id ROWS BETWEEN 2 PRECEDING AND 2 FOLLOWING EXCLUDE CURRENT ROW) AS a, array_agg(id) OVER (PARTITION BY dept ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE TIES) AS b FROM staff;
SELECT id, string_agg(name, ',') FILTER (WHERE ok) OVER (ORDER BY id) AS a, array_agg(grade) FILTER (WHERE grade > 1) OVER (PARTITION BY dept ORDER BY id ROWS 2 PRECEDING) AS b, count(*) OVER (ORDER BY id) AS n FROM staff;
SELECT id, array_agg(id) OVER (ORDER BY pay, id RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS a, array_agg(id) OVER (ORDER BY id RANGE BETWEEN 3 PRECEDING AND 1 FOLLOWING) AS b, array_agg(id) OVER (ORDER BY id GROUPS BETWEEN 1 PRECEDING AND 1 FOLLOWING EXCLUDE GROUP) AS c FROM staff;
SELECT id, string_agg(page, '>') OVER (PARTITION BY person ORDER BY at, id) AS path, array_agg(ms) OVER (PARTITION BY person ORDER BY at, id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS ms FROM click;
SELECT dept, string_agg(min(name), '/') OVER (ORDER BY dept) AS names FROM staff GROUP BY dept;
SELECT id, stddev_samp(grade) OVER (PARTITION BY dept ORDER BY id ROWS 3 PRECEDING) AS sd, var_pop(grade) OVER (ORDER BY id) AS v, bit_and(grade) OVER (ORDER BY id ROWS 2 PRECEDING) AS ba, bit_xor(grade) OVER (PARTITION BY dept ORDER BY id) AS bx FROM staff;
