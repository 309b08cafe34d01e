/* bench/report.h - everything that one run of `tutti bench` found, and how it is written.
 *
 * For:     cmd/bench.c fills it; report_json.c, report_page.c, roofline.c and store.c write it.
 * Touches: memory; report_page.c writes a file.
 * Rule:    what was not measured is NAN, 0 or NULL and is written as null, an empty cell or not at all.
 *          docs/json.md has the JSON, docs/bench.md says what each figure means.
 */
#ifndef TUTTI_BENCH_REPORT_H
#define TUTTI_BENCH_REPORT_H
#include "base/buf.h"
#include "bench/bench.h"
#include "bench/compare.h"
#include "bench/score.h"
#include "bench/soak.h"
#include "bench/sweep.h"
#include "bench/tests.h"

enum { BENCH_TEXT_MAX = 128 };

struct bench_report {
    int64_t time_s; /* since 1970 */
    const char *version;
    struct {
        char cpu[BENCH_TEXT_MAX]; /* "AMD EPYC 7763 64-Core Processor"; "" */
        const char *level;        /* "avx512" */
        int cores, threads;       /* cores: physical that we may use; threads: the most of this run */
        int64_t memory_bytes;
        double theoretical_bps;   /* what the modules and the fabric allow; 0: not known */
        char theoretical_from[BENCH_TEXT_MAX];
    } machine;
    bool has_model;
    struct {
        const char *path, *arch; /* borrowed */
        char name[BENCH_TEXT_MAX];
        uint64_t file_bytes;
        struct llm_info info;
        double load_ms;
        int64_t peak_bytes, load_peak_bytes; /* resident: most seen while it ran, and while it was loaded; 0 */
    } model;
    struct bench_limits limits; /* of machine.threads: medians of this run */
    struct bench_read reads[BENCH_READS_MAX];
    int n_reads;
    struct bench_peak peaks[BENCH_PEAKS_MAX];
    int n_peaks;
    struct bench_test tests[BENCH_TESTS_MAX];
    int n_tests;
    struct { /* perplexity; n_chunks 0: not asked for */
        double value;
        int n_chunks, n_ctx;
    } ppl;
    bool has_score;
    struct bench_score score;
    struct bench_compare compare;
    struct {
        const char *meter; /* what measured joules_per_tok; NULL: nothing */
        char why_none[BENCH_TEXT_MAX];
        double estimate_w;  /* no meter: what the package draws at most by the catalog; NAN */
        char estimate_from[BENCH_TEXT_MAX];
    } energy;
    struct bench_soak *soak; /* owned by the filler; NULL */
    bool is_interrupted;
};

/* J per token of a test: measured, else by energy.estimate_w; NAN.  *is_estimate says which. */
double bench_joules_per_tok(const struct bench_report *r, const struct bench_test *t, bool *is_estimate);
/* "2026-11-21T13:04:05Z" */
void bench_time_text(int64_t time_s, char text[static 32]);

bool bench_report_json(const struct bench_report *r, struct buf *b, struct err *err);
/* One line for each measured figure: section,test,threads,depth,batch,streams,bytes,value,unit,min,max,share_of_limit,kind */
bool bench_report_csv(const struct bench_report *r, struct buf *b, struct err *err);
/* A self-contained page at path ("-": stdout). */
bool bench_report_page(const struct bench_report *r, const char *path, struct err *err);
#endif
