INSERT INTO qu VALUES
(28, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:09:00Z', 2.4),
(26, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:02:00Z', 5.8),
(10, 'a', 0, '2026-01-01 00:01:00Z', 1.4),
(20, 'a', 2, NULL, 0.5),
(7, 'a', 2, NULL, 6.0),
(11, 'c', 2, '2026-01-01 00:08:00Z', 8.2),
(14, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:05:00Z', 6.6);
INSERT INTO tr VALUES
(1, 'c', 0, '2026-01-01 00:10:00Z', NULL),
(2, 'c', 1, '2026-01-01 00:06:00Z', 9),
(3, 'a', 2, '2026-01-01 00:01:00Z', 5.25),
(4, 'a', 0, '2026-01-01 00:01:00Z', 0.75);
INSERT INTO li VALUES
(3, NULL, NULL),
(8, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', NULL),
(7, 'c', NULL),
(5, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', NULL),
(4, 'a', NULL);
INSERT INTO qu VALUES
(5, 'a', 1, '2026-01-01 00:09:00Z', 3.8),
(13, 'a', 0, '2026-01-01 00:09:30Z', 3.2),
(1, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:07:00Z', 7.6);
INSERT INTO tr VALUES
(5, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:02:30Z', NULL),
(6, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:02:30Z', NULL),
(7, NULL, 1, '2026-01-01 00:09:00Z', NULL),
(8, 'a', 0, '2026-01-01 00:04:00Z', 11.75),
(9, 'b', 1, '2026-01-01 00:09:00Z', NULL),
(10, NULL, 0, '2026-01-01 00:07:30Z', 13),
(11, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:03:30Z', 0.25);
INSERT INTO qu VALUES
(15, 'a', 0, NULL, 3.7),
(12, NULL, 0, '2026-01-01 00:11:30Z', 1.7),
(29, 'c', 1, '2026-01-01 00:11:30Z', 7.5),
(5, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:07:00Z', 4.0),
(2, 'a', 2, '2026-01-01 00:07:00Z', 4.0),
(11, 'a', 0, NULL, 7.0),
(26, 'a', 1, '2026-01-01 00:09:30Z', 4.9);
INSERT INTO tr VALUES
(12, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:01:00Z', 10.0),
(13, 'c', 2, '2026-01-01 00:11:30Z', 9.25),
(14, 'c', 2, '2026-01-01 00:08:00Z', NULL),
(15, 'c', 0, '2026-01-01 00:11:00Z', 12),
(16, NULL, 1, '2026-01-01 00:00:00Z', 2),
(17, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:05:30Z', 14.75);
INSERT INTO qu VALUES
(11, 'c', 2, '2026-01-01 00:10:00Z', 2.6),
(29, 'a', 1, '2026-01-01 00:05:00Z', 1.8),
(5, 'c', 1, '2026-01-01 00:00:30Z', 0.9),
(9, 'a', 0, '2026-01-01 00:04:00Z', 5.3),
(13, NULL, 2, '2026-01-01 00:05:30Z', 8.0),
(15, 'b', 0, '2026-01-01 00:04:30Z', 0.6);
INSERT INTO tr VALUES
(18, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:09:00Z', 10.25),
(19, 'c', 0, NULL, NULL),
(20, 'a', 0, '2026-01-01 00:01:00Z', 10),
(21, NULL, 2, '2026-01-01 00:01:30Z', 3.0);
INSERT INTO li VALUES
(5, 'a', NULL),
(8, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', NULL),
(3, 'a', 4),
(9, NULL, NULL),
(7, NULL, NULL),
(2, 'c', 14);
INSERT INTO qu VALUES
(15, 'c', 0, '2026-01-01 00:00:00Z', 7.1),
(19, NULL, 2, '2026-01-01 00:05:00Z', 4.2),
(21, 'a', 0, '2026-01-01 00:10:30Z', 1.6),
(7, 'a', 1, '2026-01-01 00:04:30Z', 4.2),
(9, NULL, 0, '2026-01-01 00:01:00Z', 5.7);
INSERT INTO tr VALUES
(22, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:07:00Z', NULL),
(23, 'c', 0, '2026-01-01 00:05:30Z', NULL),
(24, 'c', 0, '2026-01-01 00:11:30Z', 10),
(25, 'c', 1, '2026-01-01 00:11:00Z', 12.0),
(26, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 2, '2026-01-01 00:11:30Z', 2);
INSERT INTO qu VALUES
(27, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:06:30Z', 2.7),
(10, 'a', 2, '2026-01-01 00:09:00Z', 2.6),
(14, 'c', 2, '2026-01-01 00:03:00Z', 8.0),
(18, 'a', 2, '2026-01-01 00:08:30Z', 1.6),
(16, 'a', 2, '2026-01-01 00:08:00Z', 5.3),
(26, 'c', 1, '2026-01-01 00:07:00Z', 4.4),
(1, 'b', 0, '2026-01-01 00:00:00Z', 2.5),
(5, 'a', 0, '2026-01-01 00:05:30Z', 4.6),
(8, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:11:30Z', 1.6),
(28, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 2, '2026-01-01 00:03:30Z', 6.8);
INSERT INTO tr VALUES
(27, 'a', 1, '2026-01-01 00:08:30Z', NULL),
(28, NULL, 2, '2026-01-01 00:08:00Z', 8),
(29, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:11:30Z', NULL),
(30, 'b', 2, '2026-01-01 00:03:00Z', NULL),
(31, 'a', 0, '2026-01-01 00:01:00Z', 6.0),
(32, 'c', 2, '2026-01-01 00:02:00Z', 10);
INSERT INTO qu VALUES
(4, 'a', 0, '2026-01-01 00:09:30Z', 7.3),
(21, 'b', 2, '2026-01-01 00:03:00Z', 6.2);
INSERT INTO tr VALUES
(33, 'a', 0, '2026-01-01 00:03:00Z', 13.25),
(34, NULL, 0, '2026-01-01 00:02:30Z', NULL),
(35, 'b', 1, '2026-01-01 00:08:00Z', 3),
(36, 'b', 0, '2026-01-01 00:00:00Z', 2.75),
(37, 'b', 2, '2026-01-01 00:03:30Z', 1),
(38, 'a', 1, '2026-01-01 00:11:30Z', 9),
(39, 'a', 2, '2026-01-01 00:05:00Z', NULL);
INSERT INTO li VALUES
(3, 'c', NULL),
(9, NULL, 5),
(2, 'a', 14),
(11, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', NULL);
INSERT INTO qu VALUES
(22, 'b', 1, '2026-01-01 00:06:30Z', 2.4),
(18, 'a', 1, '2026-01-01 00:07:30Z', 2.8),
(23, 'a', 1, '2026-01-01 00:00:00Z', 7.9),
(4, NULL, 0, '2026-01-01 00:06:30Z', 0.7),
(25, 'a', 2, '2026-01-01 00:01:00Z', 3.3),
(9, 'b', 2, '2026-01-01 00:06:30Z', 7.3),
(28, 'a', 2, '2026-01-01 00:10:00Z', 7.1);
INSERT INTO qu VALUES
(6, 'c', 1, '2026-01-01 00:07:30Z', 7.9),
(20, 'a', 1, '2026-01-01 00:06:00Z', 6.8),
(13, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:04:00Z', 8.4),
(9, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:11:00Z', 0.4),
(1, 'a', 2, NULL, 2.1),
(14, NULL, 1, NULL, 4.1),
(24, 'c', 0, '2026-01-01 00:11:00Z', 1.0),
(26, 'a', 1, '2026-01-01 00:04:00Z', 0.6),
(17, 'a', 2, '2026-01-01 00:02:00Z', 7.8);
INSERT INTO tr VALUES
(40, 'a', 2, '2026-01-01 00:01:00Z', 13.75);
INSERT INTO qu VALUES
(5, 'a', 1, '2026-01-01 00:10:00Z', 5.9),
(20, NULL, 2, '2026-01-01 00:09:00Z', 8.2),
(27, 'a', 1, '2026-01-01 00:03:00Z', 1.5),
(17, 'b', 2, '2026-01-01 00:05:00Z', 3.5),
(9, 'a', 0, '2026-01-01 00:08:30Z', 2.6),
(29, NULL, 0, '2026-01-01 00:00:00Z', 3.4),
(14, 'a', 2, NULL, 2.9),
(18, 'b', 0, '2026-01-01 00:10:00Z', 7.1),
(8, NULL, 1, '2026-01-01 00:05:00Z', 4.4),
(11, 'c', 2, '2026-01-01 00:01:00Z', 5.8);
INSERT INTO tr VALUES
(41, 'c', 1, '2026-01-01 00:06:00Z', 2),
(42, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:11:00Z', 6.75),
(43, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:05:00Z', 8.5);
INSERT INTO li VALUES
(10, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 7),
(5, 'a', 3),
(4, NULL, NULL),
(11, NULL, 5);
INSERT INTO qu VALUES
(11, NULL, 1, '2026-01-01 00:10:00Z', 5.7),
(17, 'b', 1, '2026-01-01 00:06:30Z', 6.7),
(8, 'a', 1, '2026-01-01 00:00:00Z', 8.7),
(13, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:11:30Z', 4.8);
INSERT INTO tr VALUES
(44, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:09:00Z', 2.75),
(45, 'b', 0, '2026-01-01 00:00:30Z', 2.5),
(46, 'a', 2, '2026-01-01 00:06:00Z', 9.25),
(47, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:04:30Z', 1.5),
(48, 'a', 0, '2026-01-01 00:02:00Z', 13),
(49, 'c', 0, '2026-01-01 00:07:30Z', 5.25);
INSERT INTO qu VALUES
(12, 'a', 1, '2026-01-01 00:07:30Z', 8.2),
(26, 'a', 1, '2026-01-01 00:02:00Z', 2.8),
(1, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:01:00Z', 5.4),
(5, 'a', 0, '2026-01-01 00:00:30Z', 6.2),
(6, 'b', 0, '2026-01-01 00:08:00Z', 3.6),
(29, 'a', 1, '2026-01-01 00:01:00Z', 8.3);
INSERT INTO tr VALUES
(50, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 2, '2026-01-01 00:08:00Z', 7.0),
(51, 'c', 0, '2026-01-01 00:04:30Z', 13),
(52, 'c', 1, '2026-01-01 00:06:00Z', NULL);
INSERT INTO qu VALUES
(28, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, NULL, 2.5),
(26, 'c', 2, '2026-01-01 00:04:00Z', 8.5),
(8, 'a', 1, '2026-01-01 00:07:00Z', 5.4),
(20, 'a', 1, '2026-01-01 00:05:00Z', 3.4),
(18, 'a', 0, '2026-01-01 00:02:00Z', 2.7),
(27, 'a', 0, '2026-01-01 00:04:30Z', 6.8),
(4, 'c', 2, '2026-01-01 00:11:30Z', 7.0),
(14, 'a', 2, '2026-01-01 00:07:00Z', 0.5);
INSERT INTO tr VALUES
(53, 'c', 2, '2026-01-01 00:04:00Z', NULL),
(54, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:10:30Z', NULL),
(55, NULL, 0, '2026-01-01 00:06:30Z', NULL),
(56, NULL, 1, NULL, 11),
(57, 'c', 0, '2026-01-01 00:01:00Z', 0),
(58, 'a', 2, '2026-01-01 00:10:00Z', 8),
(59, 'b', 1, '2026-01-01 00:08:30Z', NULL),
(60, 'a', 1, '2026-01-01 00:05:00Z', 4.25);
INSERT INTO li VALUES
(11, 'b', 7),
(2, 'a', NULL),
(3, 'a', NULL),
(8, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', NULL);
INSERT INTO qu VALUES
(14, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:09:30Z', 4.1),
(21, 'a', 0, '2026-01-01 00:06:00Z', 4.3),
(26, 'a', 2, '2026-01-01 00:08:00Z', 3.4);
INSERT INTO tr VALUES
(61, 'a', 1, '2026-01-01 00:07:00Z', NULL),
(62, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:01:30Z', 11.25),
(63, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 1, '2026-01-01 00:05:30Z', NULL),
(64, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 2, '2026-01-01 00:08:30Z', NULL),
(65, 'longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglonglong', 0, '2026-01-01 00:03:00Z', 2.0);
