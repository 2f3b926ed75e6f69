-- The first rows: DISTINCT ON, WITH TIES, top-N views, over a table that changes.
\ir rows/staff.sql

SELECT DISTINCT ON (dept) dept, id, pay FROM staff ORDER BY dept, pay DESC NULLS LAST, id;
SELECT DISTINCT ON (dept, grade) dept, grade, name, id FROM staff ORDER BY grade DESC, dept, id;
SELECT DISTINCT ON (1) dept, id FROM staff ORDER BY dept NULLS FIRST, hired DESC NULLS LAST, id DESC;
SELECT DISTINCT ON (d) dept AS d, id FROM staff ORDER BY d, id;
SELECT DISTINCT ON (grade / 2) id, pay FROM staff ORDER BY grade / 2, id DESC;
SELECT DISTINCT ON (person) person, page, count(*) AS n FROM click GROUP BY person, page ORDER BY person, count(*) DESC, page;
SELECT * FROM (SELECT DISTINCT ON (dept) * FROM staff ORDER BY dept, id) AS s WHERE dept > 1;
SELECT count(*) AS n, sum(id) AS ids FROM (SELECT id FROM staff ORDER BY grade FETCH FIRST 5 ROWS WITH TIES) AS s;
SELECT count(*) AS n, sum(id) AS ids FROM (SELECT id FROM staff ORDER BY grade DESC NULLS LAST, dept FETCH FIRST 7 ROWS WITH TIES) AS s;
SELECT grade, count(*) AS n FROM staff GROUP BY grade ORDER BY n DESC FETCH FIRST ROW WITH TIES;
SELECT dept FROM staff ORDER BY dept FETCH FIRST 0 ROWS WITH TIES;
SELECT DISTINCT ON (person) person, at, id FROM click ORDER BY person, at DESC, id DESC;
SELECT id, pay FROM staff ORDER BY pay DESC NULLS LAST, id LIMIT 6 OFFSET 2;
SELECT id FROM staff ORDER BY id DESC FETCH FIRST 3 ROWS ONLY;
