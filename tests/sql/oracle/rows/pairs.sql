-- Three tables that share keys in part, with nulls and repeats, and rows that are replaced later.
CREATE STREAM a (id INT NOT NULL, k INT, g TEXT, v INT, PRIMARY KEY (id));
CREATE TABLE b (id INT NOT NULL, k INT, g TEXT, w BIGINT, PRIMARY KEY (id));
CREATE STREAM c (k INT, x NUMERIC(8,2));
CREATE TABLE empty (id INT NOT NULL, k INT, PRIMARY KEY (id));

INSERT INTO a VALUES (1, 1, 'p', 10), (2, 1, 'q', 20), (3, 2, 'p', 30), (4, NULL, 'p', 40), (5, 3, NULL, 50);
INSERT INTO b VALUES (1, 1, 'p', 15), (2, 2, 'q', 25), (3, 2, 'p', 35), (4, NULL, NULL, 45), (5, 9, 'z', NULL);
INSERT INTO c VALUES (1, 1.5), (1, 1.50), (2, NULL), (NULL, 3), (4, 4);
INSERT INTO a VALUES (6, 3, 'z', 60), (7, 9, 'q', NULL), (8, 1, 'p', 10), (9, NULL, NULL, NULL);
INSERT INTO b VALUES (1, 3, 'p', 15), (2, 2, 'q', 26), (6, 1, 'q', 65), (7, NULL, 'p', 5), (8, 7, NULL, 9);
INSERT INTO c VALUES (1, 1.5), (3, 7), (NULL, NULL), (9, 9);
INSERT INTO b VALUES (3, 8, 'p', 35), (5, 1, 'z', 100), (6, NULL, 'q', 65);
INSERT INTO a VALUES (10, 2, 'q', 25), (11, 8, 'p', 1), (1, 5, 'x', 0);
