// agg_sketch.h - what the approximate aggregates keep in place of values: small codes, few of which
// differ, in a set of values with counts (agg_set.h). So they take back what is retracted as
// DISTINCT and percentiles do, and their result is that of the rows that are there, whatever came
// before. Internal to src/flow.
//
// Distinct values: a value's mark is (register, rank) of its hash, as in HyperLogLog and PCSA
// (Flajolet, Martin, "Probabilistic counting algorithms for data base applications", 1985): 2^14
// registers by the hash's first bits, the rank is where the first 1 stands among the others. Of
// each mark it is known whether one value made it or several: with its count stands the sum of its
// values' prints, numbers that carry their own check, and only of one value is the sum divided by
// the count a print. Marks, and marks of several values, are counted; the estimate is the n for
// which as many are expected, as Lang does for marks alone ("Back to the future: an even more
// nearly optimal cardinality estimation algorithm", arXiv 1708.06839, 2017). The relative standard
// error is 0.40 % at most, where HyperLogLog's estimate of the highest rank of each of as many
// registers has 1.04 / sqrt(2^14) = 0.81 %; it is exact where no three values share a mark.
//
// Percentiles: a value's code is its bucket in a DDSketch (Masson, Rim, Lee, "DDSketch: a fast and
// fully-mergeable quantile sketch with relative-error guarantees", PVLDB 12, 2019): bounds of
// buckets grow by at most (1 + error) / (1 - error), so that a bucket's middle is within the
// relative error of each value in it. Logarithms are interpolated by a cubic in plain arithmetic:
// the same value has the same bucket on any machine.
#ifndef WEIR_FLOW_AGG_SKETCH_H
#define WEIR_FLOW_AGG_SKETCH_H

#include "col/batch.h"

#define AGG_MARK_BITS 14

// Marks of any values as INT4, and prints; nulls are what they are.
void agg_marks_of(base_arena *arena, const col_vec *values, col_vec *out, const uint32_t **prints);
// What a mark counts for by its count and its sum of prints: 0, 1 for one value, 2 for several.
int agg_mark_level(int64_t count, int64_t prints);
// How many values marks stand for, whose levels have this sum.
int64_t agg_marks_estimate(int64_t levels);

// Codes of FLOAT8 values as INT4, in the order of the values.
void agg_buckets_of(base_arena *arena, const col_vec *values, double error, col_vec *out);
// What a bucket stands for.
double agg_bucket_value(int32_t code, double error);

#endif
