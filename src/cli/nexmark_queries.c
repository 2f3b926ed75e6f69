// nexmark_queries.c - the queries of Nexmark in weir's SQL: q0 to q8 of the paper's suite as Beam
// extended it, q9 to q22 of the published one. Where the published text uses a function of one
// engine, its meaning is kept in PostgreSQL's: DATE_FORMAT is to_char, REGEXP_EXTRACT substring,
// SPLIT_INDEX split_part. q10, a sink of files elsewhere, is its projection here; q12's window is
// on the time of ingestion; q13 looks its side input up in a table.
#include "cli/nexmark.h"

#define PERSON  (1u << NEXMARK_PERSON)
#define AUCTION (1u << NEXMARK_AUCTION)
#define BID     (1u << NEXMARK_BID)

const char *const nexmark_ddl[] = {
    "CREATE SCHEMA nexmark",
    "CREATE STREAM nexmark.person (id BIGINT NOT NULL, name TEXT NOT NULL, email_address TEXT "
    "NOT NULL, credit_card TEXT NOT NULL, city TEXT NOT NULL, state TEXT NOT NULL, "
    "date_time TIMESTAMP NOT NULL, extra TEXT NOT NULL, PRIMARY KEY (id), "
    "WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')",
    "CREATE STREAM nexmark.auction (id BIGINT NOT NULL, item_name TEXT NOT NULL, description TEXT "
    "NOT NULL, initial_bid BIGINT NOT NULL, reserve BIGINT NOT NULL, date_time TIMESTAMP NOT NULL, "
    "expires TIMESTAMP NOT NULL, seller BIGINT NOT NULL, category BIGINT NOT NULL, "
    "extra TEXT NOT NULL, PRIMARY KEY (id), "
    "WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')",
    "CREATE STREAM nexmark.bid (auction BIGINT NOT NULL, bidder BIGINT NOT NULL, price BIGINT NOT "
    "NULL, channel TEXT NOT NULL, url TEXT NOT NULL, date_time TIMESTAMP NOT NULL, "
    "extra TEXT NOT NULL, WATERMARK FOR date_time AS date_time - INTERVAL '4 seconds')",
    "CREATE TABLE nexmark.side_input (key BIGINT PRIMARY KEY, value TEXT)",
    NULL,
};

// The winning bid of each auction: the highest before it ends, the first of equal ones.
#define WINNING_BIDS(columns)                                                                      \
    "SELECT " columns ", ROW_NUMBER() OVER (PARTITION BY a.id ORDER BY b.price DESC, "             \
    "b.date_time) AS rownum FROM nexmark.auction a JOIN nexmark.bid b ON a.id = b.auction "        \
    "WHERE b.date_time BETWEEN a.date_time AND a.expires"

#define RANKED(what, prefix)                                                                       \
    what " AS total_" prefix ", " what " FILTER (WHERE price < 10000) AS rank1_" prefix ", " what  \
         " FILTER (WHERE price >= 10000 AND price < 1000000) AS rank2_" prefix ", " what           \
         " FILTER (WHERE price >= 1000000) AS rank3_" prefix

const nexmark_query nexmark_queries[] = {
    {"q0", "pass through", BID, 1700,
     "SELECT auction, bidder, price, date_time, extra FROM nexmark.bid"},
    {"q1", "currency conversion", BID, 1700,
     "SELECT auction, bidder, 0.908 * price AS price, date_time, extra FROM nexmark.bid"},
    {"q2", "selection", BID, 1700,
     "SELECT auction, price FROM nexmark.bid WHERE mod(auction, 123) = 0"},
    {"q3", "local item suggestion", PERSON | AUCTION, 1500,
     "SELECT p.name, p.city, p.state, a.id FROM nexmark.auction a JOIN nexmark.person p "
     "ON a.seller = p.id WHERE a.category = 10 AND p.state IN ('OR', 'ID', 'CA')"},
    {"q4", "average price for a category", AUCTION | BID, 340,
     "SELECT q.category, avg(q.final) AS average FROM (SELECT max(b.price) AS final, "
     "a.category "
     "FROM nexmark.auction a JOIN nexmark.bid b ON a.id = b.auction "
     "WHERE b.date_time BETWEEN a.date_time AND a.expires GROUP BY a.id, a.category) q "
     "GROUP BY q.category"},
    {"q5", "hot items", BID, 300,
     "SELECT ab.auction, ab.num, ab.starttime FROM (SELECT auction, count(*) AS num, "
     "window_start "
     "AS starttime FROM HOP(nexmark.bid, date_time, INTERVAL '2 seconds', INTERVAL '10 "
     "seconds') "
     "GROUP BY auction, window_start) ab JOIN (SELECT max(cb.num) AS maxn, cb.starttime FROM "
     "(SELECT count(*) AS num, window_start AS starttime FROM HOP(nexmark.bid, date_time, "
     "INTERVAL '2 seconds', INTERVAL '10 seconds') GROUP BY auction, window_start) cb "
     "GROUP BY cb.starttime) mb ON ab.starttime = mb.starttime AND ab.num >= mb.maxn"},
    {"q6", "average selling price by seller", AUCTION | BID, 0,
     "SELECT q.seller, avg(q.price) OVER (PARTITION BY q.seller ORDER BY q.date_time "
     "ROWS BETWEEN 10 PRECEDING AND CURRENT ROW) AS avg_price FROM (" WINNING_BIDS(
         "a.id, a.seller, b.price, b.date_time") ") q WHERE q.rownum <= 1"},
    {"q7", "highest bid", BID, 1400,
     "SELECT b.auction, b.bidder, b.price, b.date_time, b.extra FROM nexmark.bid b JOIN "
     "(SELECT max(price) AS maxprice, window_end AS date_time FROM TUMBLE(nexmark.bid, "
     "date_time, "
     "INTERVAL '10 seconds') GROUP BY window_start, window_end) b1 ON b.price = b1.maxprice "
     "WHERE b.date_time BETWEEN b1.date_time - INTERVAL '10 seconds' AND b1.date_time"},
    {"q8", "monitor new users", PERSON | AUCTION, 1400,
     "SELECT p.id, p.name, p.starttime FROM (SELECT id, name, window_start AS starttime, "
     "window_end AS endtime FROM TUMBLE(nexmark.person, date_time, INTERVAL '10 seconds') "
     "GROUP BY id, name, window_start, window_end) p JOIN (SELECT seller, window_start AS "
     "starttime, window_end AS endtime FROM TUMBLE(nexmark.auction, date_time, "
     "INTERVAL '10 seconds') GROUP BY seller, window_start, window_end) a "
     "ON p.id = a.seller AND p.starttime = a.starttime AND p.endtime = a.endtime"},
    {"q9", "winning bids", AUCTION | BID, 200,
     "SELECT id, item_name, description, initial_bid, reserve, date_time, expires, seller, "
     "category, extra, auction, bidder, price, bid_date_time, bid_extra FROM (" WINNING_BIDS(
         "a.*, b.auction, b.bidder, b.price, b.date_time AS bid_date_time, b.extra AS "
         "bid_extra") ") w WHERE rownum <= 1"},
    {"q10", "log of all bids by minute", BID, 0,
     "SELECT auction, bidder, price, date_time, extra, to_char(date_time, 'YYYY-MM-DD') AS "
     "day, "
     "to_char(date_time, 'HH24:MI') AS minute FROM nexmark.bid"},
    {"q11", "user sessions", BID, 400,
     "SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime "
     "FROM TABLE(SESSION(TABLE nexmark.bid PARTITION BY bidder, DESCRIPTOR(date_time), "
     "INTERVAL '10 seconds')) GROUP BY bidder, window_start, window_end"},
    {"q12", "bids by processing time", BID, 900,
     "SELECT bidder, count(*) AS bid_count, window_start AS starttime, window_end AS endtime "
     "FROM TUMBLE(nexmark.bid, _ingested_at, INTERVAL '10 seconds') "
     "GROUP BY bidder, window_start, window_end"},
    {"q13", "bounded side input", BID, 1200,
     "SELECT b.auction, b.bidder, b.price, b.date_time, s.value FROM nexmark.bid b "
     "JOIN nexmark.side_input FOR SYSTEM_TIME AS OF PROCTIME() AS s "
     "ON mod(b.auction, 10000) = s.key"},
    {"q14", "calculation", BID, 1600,
     "SELECT auction, bidder, 0.908 * price AS price, CASE WHEN extract(hour FROM date_time) "
     "BETWEEN 8 AND 18 THEN 'dayTime' WHEN extract(hour FROM date_time) <= 6 OR "
     "extract(hour FROM date_time) >= 20 THEN 'nightTime' ELSE 'otherTime' END AS "
     "bid_time_type, "
     "date_time, extra, length(extra) - length(replace(extra, 'c', '')) AS c_counts "
     "FROM nexmark.bid WHERE 0.908 * price > 1000000 AND 0.908 * price < 50000000"},
    {"q15", "bidding statistics", BID, 1300,
     "SELECT to_char(date_time, 'YYYY-MM-DD') AS day, " RANKED("count(*)", "bids") ", " RANKED(
         "count(DISTINCT bidder)",
         "bidders") ", " RANKED("count(DISTINCT auction)",
                                "auctions") " FROM nexmark.bid GROUP BY to_char(date_time, "
                                            "'YYYY-MM-DD')"},
    {"q16", "channel statistics", BID, 190,
     "SELECT channel, to_char(date_time, 'YYYY-MM-DD') AS day, max(to_char(date_time, "
     "'HH24:MI')) AS minute, " RANKED("count(*)", "bids") ", " RANKED(
         "count(DISTINCT bidder)",
         "bidders") ", " RANKED("count(DISTINCT auction)",
                                "auctions") " FROM nexmark.bid GROUP BY channel, "
                                            "to_char(date_time, 'YYYY-MM-DD')"},
    {"q17", "auction statistics", BID, 1100,
     "SELECT auction, to_char(date_time, 'YYYY-MM-DD') AS day, " RANKED(
         "count(*)",
         "bids") ", min(price) AS min_price, max(price) AS max_price, avg(price) AS avg_price, "
                 "sum(price) AS sum_price FROM nexmark.bid GROUP BY auction, "
                 "to_char(date_time, 'YYYY-MM-DD')"},
    {"q18", "last bid of each bidder on an auction", BID, 540,
     "SELECT auction, bidder, price, channel, url, date_time, extra FROM (SELECT *, "
     "ROW_NUMBER() "
     "OVER (PARTITION BY bidder, auction ORDER BY date_time DESC) AS rank_number "
     "FROM nexmark.bid) r WHERE rank_number <= 1"},
    {"q19", "top 10 bids of an auction", BID, 440,
     "SELECT * FROM (SELECT *, ROW_NUMBER() OVER (PARTITION BY auction ORDER BY price DESC) "
     "AS rank_number FROM nexmark.bid) r WHERE rank_number <= 10"},
    {"q20", "bids with their auction", AUCTION | BID, 190,
     "SELECT b.auction, b.bidder, b.price, b.channel, b.url, b.date_time AS bid_date_time, "
     "b.extra AS bid_extra, a.item_name, a.description, a.initial_bid, a.reserve, "
     "a.date_time AS auction_date_time, a.expires, a.seller, a.category, a.extra AS "
     "auction_extra "
     "FROM nexmark.bid b JOIN nexmark.auction a ON b.auction = a.id WHERE a.category = 10"},
    {"q21", "channel id", BID, 1100,
     "SELECT auction, bidder, price, channel, CASE WHEN lower(channel) = 'apple' THEN '0' "
     "WHEN lower(channel) = 'google' THEN '1' WHEN lower(channel) = 'facebook' THEN '2' "
     "WHEN lower(channel) = 'baidu' THEN '3' ELSE substring(url FROM "
     "'(?:&|^)channel_id=([^&]*)') END "
     "AS channel_id FROM nexmark.bid WHERE substring(url FROM '(?:&|^)channel_id=([^&]*)') IS "
     "NOT NULL "
     "OR lower(channel) IN ('apple', 'google', 'facebook', 'baidu')"},
    {"q22", "directories of the url", BID, 1500,
     "SELECT auction, bidder, price, channel, split_part(url, '/', 4) AS dir1, "
     "split_part(url, '/', 5) AS dir2, split_part(url, '/', 6) AS dir3 FROM nexmark.bid"},
};

const uint32_t nexmark_queries_count = sizeof nexmark_queries / sizeof nexmark_queries[0];
