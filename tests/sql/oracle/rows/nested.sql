-- Three tables whose columns have few values and NULLs, so that keys repeat and miss; rows are
-- replaced by later inserts.
CREATE TABLE l (id INT NOT NULL, a INT, b INT, t TEXT, n NUMERIC(8,2), PRIMARY KEY (id));
CREATE TABLE s (id INT NOT NULL, k INT, v INT NOT NULL, w INT, t TEXT, n NUMERIC(8,2), PRIMARY KEY (id));
CREATE TABLE u (id BIGINT NOT NULL, k INT, z INT, PRIMARY KEY (id));

INSERT INTO l VALUES
 (1, 2, 3, 'a', 1.0),
 (2, 0, NULL, 'd', NULL),
 (3, NULL, NULL, 'b', 0),
 (4, 4, 0, 'a', 1.00),
 (5, 1, 4, NULL, 0),
 (6, NULL, 0, 'b', 0),
 (7, 2, 3, 'b', NULL),
 (8, 2, 2, 'c', NULL),
 (9, NULL, NULL, 'd', 1.0),
 (10, 4, 2, 'c', 0),
 (11, 0, 2, NULL, 2.5),
 (12, 3, 3, NULL, 3),
 (13, NULL, 0, NULL, 1.00),
 (14, NULL, 3, 'c', 3);
INSERT INTO s VALUES
 (1, 2, 2, 3, NULL, 1.00),
 (2, NULL, 4, NULL, 'd', 0),
 (3, 1, 4, 0, 'd', NULL),
 (4, NULL, 0, NULL, 'c', NULL),
 (5, 1, 2, 0, NULL, 2.5),
 (6, 4, 0, 3, 'd', NULL),
 (7, 0, 5, 1, 'b', 0),
 (8, 4, 4, 0, 'c', 1.00),
 (9, 1, 4, 1, 'b', 3),
 (10, NULL, 3, 0, 'c', 1.00),
 (11, 2, 5, NULL, 'a', 1.00),
 (12, 3, 4, 3, 'c', 1.0),
 (13, 0, 5, 3, 'd', NULL),
 (14, 3, 5, NULL, NULL, 0),
 (15, 1, 4, NULL, NULL, 1.0),
 (16, 1, 1, NULL, 'b', 1.00),
 (17, 2, 3, 0, 'c', 0),
 (18, 4, 4, 1, 'a', 1.00),
 (19, NULL, 3, 0, 'c', 0),
 (20, 0, 0, NULL, 'a', NULL),
 (21, 0, 4, 4, 'c', 0),
 (22, 4, 5, 2, 'b', 1.00);
INSERT INTO u VALUES
 (1, 3, 0),
 (2, NULL, 5),
 (3, 0, 1),
 (4, NULL, 1),
 (5, 1, 0),
 (6, NULL, 5),
 (7, 1, 4),
 (8, NULL, NULL),
 (9, NULL, 4),
 (10, 0, 4);
INSERT INTO l VALUES
 (2, 2, 1, 'b', 2.5),
 (3, 4, 4, NULL, 1.0),
 (4, 1, 0, 'a', NULL),
 (8, NULL, 0, 'c', 3),
 (14, 2, 0, 'b', 1.00),
 (15, 1, 2, 'b', 0),
 (17, 2, 0, NULL, 0);
INSERT INTO s VALUES
 (4, 4, 1, NULL, 'b', 2.5),
 (7, NULL, 5, 2, NULL, 3),
 (8, 2, 5, NULL, 'c', 2.5),
 (13, 2, 4, 0, 'c', NULL),
 (14, NULL, 2, 1, NULL, NULL),
 (15, NULL, 0, NULL, 'b', 0),
 (16, 2, 3, 4, 'a', 0),
 (17, NULL, 4, 4, 'a', 0),
 (18, NULL, 0, 2, 'd', NULL),
 (21, 0, 5, NULL, 'a', 0),
 (25, 0, 0, 3, 'a', 1.00);
INSERT INTO u VALUES
 (4, 3, 0),
 (8, 2, 4),
 (11, NULL, 1),
 (12, 2, NULL),
 (15, 0, NULL);
INSERT INTO l VALUES
 (7, 0, NULL, 'a', 1.0),
 (8, 0, 3, 'd', NULL),
 (10, NULL, 4, NULL, 0),
 (14, 0, 1, 'd', NULL),
 (15, 3, 3, 'b', 3),
 (16, NULL, 2, 'a', 1.00),
 (17, 2, 0, 'a', 3);
INSERT INTO s VALUES
 (2, 4, 2, 3, 'd', 0),
 (4, NULL, 5, 4, 'c', NULL),
 (5, 3, 2, 2, 'b', 0),
 (8, NULL, 1, 4, 'd', 3),
 (9, 3, 4, NULL, 'a', 2.5),
 (10, 4, 0, 3, 'b', 2.5),
 (14, 3, 2, 4, NULL, 1.00),
 (21, 3, 2, NULL, 'd', 3),
 (22, NULL, 3, 4, 'd', 1.0),
 (26, 1, 5, NULL, NULL, 1.00),
 (27, 0, 2, 2, 'd', NULL);
INSERT INTO u VALUES
 (4, 2, NULL),
 (5, 4, 3),
 (7, 2, 1),
 (9, 1, 0),
 (10, NULL, 1);
