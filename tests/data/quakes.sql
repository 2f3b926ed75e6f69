-- The USGS feed of earthquakes in the order of their last update: event time is `time`, and most
-- rows come hours or days after it. The watermark allows five minutes; the views are right whatever
-- the order, what comes later than the lateness is a correction.
CREATE SCHEMA quakes;

CREATE STREAM quakes.quake (
  seq              BIGINT           NOT NULL,
  time             TIMESTAMPTZ      NOT NULL,
  latitude         DOUBLE PRECISION NOT NULL,
  longitude        DOUBLE PRECISION NOT NULL,
  depth            DOUBLE PRECISION,
  mag              NUMERIC,
  mag_type         TEXT,
  nst              INT,
  gap              NUMERIC,
  dmin             DOUBLE PRECISION,
  rms              DOUBLE PRECISION,
  net              TEXT             NOT NULL,
  id               TEXT             NOT NULL,
  updated          TIMESTAMPTZ      NOT NULL,
  place            TEXT,
  type             TEXT,
  horizontal_error DOUBLE PRECISION,
  depth_error      DOUBLE PRECISION,
  mag_error        NUMERIC,
  mag_nst          INT,
  status           TEXT             NOT NULL,
  location_source  TEXT,
  mag_source       TEXT,
  PRIMARY KEY (id),
  WATERMARK FOR time AS time - INTERVAL '5 minutes'
);

CREATE MATERIALIZED VIEW quakes.totals WITH (refresh = '1 second') AS
SELECT count(*) AS n,
       min(time) AS min_time, max(time) AS max_time,
       min(updated) AS min_updated, max(updated) AS max_updated,
       count(*) FILTER (WHERE status = 'reviewed') AS reviewed,
       count(*) FILTER (WHERE mag IS NULL) AS mag_null,
       max(mag) AS max_mag
FROM quakes.quake;

CREATE MATERIALIZED VIEW quakes.by_event_day WITH (refresh = '1 second', lateness = '1 hour') AS
SELECT window_start::date AS day,
       count(*) AS n,
       max(mag) AS max_mag,
       count(*) FILTER (WHERE mag >= 4.5) AS n_ge_4_5,
       count(*) FILTER (WHERE status = 'reviewed') AS reviewed
FROM TUMBLE(quakes.quake, time, INTERVAL '1 day')
GROUP BY window_start;

CREATE MATERIALIZED VIEW quakes.by_event_hour_net WITH (refresh = '1 second', lateness = '1 hour') AS
SELECT window_start AS hour, net, count(*) AS n, max(mag) AS max_mag
FROM TUMBLE(quakes.quake, time, INTERVAL '1 hour')
GROUP BY window_start, net;
