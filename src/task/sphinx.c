/* task/sphinx.c - see sphinx.h; start at sphinx_hear().
 *
 * Declarations as in pocketsphinx 5prealpha (Debian's 0.8+5prealpha, soname 3): pocketsphinx.h, sphinxbase/{cmd_ln,fe,err,
 * logmath}.h.  The library's own `-remove_silence` is off: it would shift every time behind a pause. */
#include "task/sphinx.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"

typedef struct cmd_ln_s cmd_ln_t;
typedef struct ps_decoder_s ps_decoder_t;
typedef struct ps_seg_s ps_seg_t;
typedef struct fe_s fe_t;
typedef struct logmath_s logmath_t;

static const void *(*ps_args)(void);
static ps_decoder_t *(*ps_init)(cmd_ln_t *);
static int (*ps_free)(ps_decoder_t *);
static int (*ps_start_utt)(ps_decoder_t *);
static int (*ps_process_cep)(ps_decoder_t *, float **cep, int n_frames, int no_search, int full_utt);
static int (*ps_end_utt)(ps_decoder_t *);
static ps_seg_t *(*ps_seg_iter)(ps_decoder_t *);
static ps_seg_t *(*ps_seg_next)(ps_seg_t *);
static void (*ps_seg_free)(ps_seg_t *);
static const char *(*ps_seg_word)(ps_seg_t *);
static void (*ps_seg_frames)(ps_seg_t *, int *start, int *end);
static int32_t (*ps_seg_prob)(ps_seg_t *, int32_t *, int32_t *, int32_t *);
static logmath_t *(*ps_get_logmath)(ps_decoder_t *);
static double (*logmath_exp)(logmath_t *, int);
static cmd_ln_t *(*cmd_ln_parse_r)(cmd_ln_t *, const void *defs, int32_t argc, char **argv, int32_t strict);
static int (*cmd_ln_free_r)(cmd_ln_t *);
static const char *(*cmd_ln_str_r)(cmd_ln_t *, const char *);
static void (*err_set_logfp)(FILE *);
static fe_t *(*fe_init_auto_r)(cmd_ln_t *);
static int (*fe_free)(fe_t *);
static void (*fe_start_stream)(fe_t *);
static int (*fe_start_utt)(fe_t *);
static int (*fe_get_output_size)(fe_t *);
static int (*fe_process_frames)(fe_t *, const int16_t **, size_t *, float **, int32_t *, int32_t *);
static int (*fe_end_utt)(fe_t *, float *, int32_t *);

static const struct dl_symbol symbols[] = {
#define S(name) { #name, &name }
    S(ps_args), S(ps_init), S(ps_free), S(ps_start_utt), S(ps_process_cep), S(ps_end_utt), S(ps_seg_iter), S(ps_seg_next),
    S(ps_seg_free), S(ps_seg_word), S(ps_seg_frames), S(ps_seg_prob), S(ps_get_logmath), S(logmath_exp), S(cmd_ln_parse_r),
    S(cmd_ln_free_r), S(cmd_ln_str_r), S(err_set_logfp), S(fe_init_auto_r), S(fe_free), S(fe_start_stream), S(fe_start_utt),
    S(fe_get_output_size), S(fe_process_frames), S(fe_end_utt),
#undef S
    { NULL, NULL },
};
static struct dl library = DL_INIT("libpocketsphinx.so.3", "speech to text of `kind: pocketsphinx`",
                                   "apt-get install libpocketsphinx3 pocketsphinx-en-us", symbols);

enum { HOP = 160, N_CEP_MAX = 64 };

struct sphinx {
    cmd_ln_t *config;
    ps_decoder_t *ps;
    fe_t *fe;
    int n_cep;
    float mean_c0; /* of the sound that the model was trained on */
    float *cep, **rows, *sorted; /* [cap_frames][n_cep], [cap_frames], [cap_frames] */
    size_t cap_frames;
};

/* Its grammar reader says nothing useful about a file that is none, and prints the file. */
static bool check_grammar(const char *path, struct err *err)
{
    char head[8] = "";
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(head, 1, 5, f) : 0;
    if (f)
        fclose(f);
    return (n == 5 && memcmp(head, "#JSGF", 5) == 0) || err_set(err, ERR_INPUT, "%s: is no grammar: the first line must be `#JSGF V1.0;`", path);
}

struct sphinx *sphinx_open(const struct sphinx_opts *o, struct err *err)
{
    if (!dl_load(&library, err) || (o->jsgf && !check_grammar(o->jsgf, err)))
        return NULL;
    err_set_logfp(NULL); /* it would tell its whole configuration on stderr */
    const char *argv[40] = { "tutti", "-hmm", o->hmm, "-dict", o->dict, "-remove_silence", "no" };
    int argc = 7;
    argv[argc++] = o->jsgf ? "-jsgf" : "-lm";
    argv[argc++] = o->jsgf ? o->jsgf : o->lm;
    static const char *const fast[] = { "-maxhmmpf", "3000", "-topn", "2", "-ds", "2", "-pl_window", "10", "-fwdflat", "no", "-bestpath", "no" };
    for (size_t i = 0; o->is_fast && i < sizeof(fast) / sizeof(fast[0]); i++)
        argv[argc++] = fast[i];
    struct sphinx *s = calloc(1, sizeof(*s));
    if (!s)
        return err_null(err, ERR_NOMEM, "pocketsphinx: no memory");
    s->config = cmd_ln_parse_r(NULL, ps_args(), argc, (char **)argv, 1);
    s->ps = s->config ? ps_init(s->config) : NULL; /* reads the model's own parameters into the configuration, too */
    s->fe = s->ps ? fe_init_auto_r(s->config) : NULL;
    if (!s->fe) {
        sphinx_close(s);
        return err_null(err, ERR_INPUT, "pocketsphinx: cannot be started with %s and %s", o->hmm, o->jsgf ? o->jsgf : o->lm);
    }
    s->n_cep = fe_get_output_size(s->fe);
    if (s->n_cep < 1 || s->n_cep > N_CEP_MAX) {
        sphinx_close(s);
        return err_null(err, ERR_UNSUPPORTED, "pocketsphinx: %s has features of %d values", o->hmm, s->n_cep);
    }
    const char *init = cmd_ln_str_r(s->config, "-cmninit");
    s->mean_c0 = init ? strtof(init, NULL) : 40.0f;
    return s;
}

void sphinx_close(struct sphinx *s)
{
    if (!s)
        return;
    if (s->fe)
        fe_free(s->fe);
    if (s->ps)
        ps_free(s->ps);
    if (s->config)
        cmd_ln_free_r(s->config);
    free(s->cep), free(s->rows), free(s->sorted);
    free(s);
}

static bool reserve(struct sphinx *s, size_t n_frames, struct err *err)
{
    if (n_frames <= s->cap_frames)
        return true;
    s->cap_frames = 0;
    free(s->cep), free(s->rows), free(s->sorted);
    s->cep = malloc(n_frames * (size_t)s->n_cep * sizeof(float));
    s->rows = malloc(n_frames * sizeof(float *));
    s->sorted = malloc(n_frames * sizeof(float));
    if (!s->cep || !s->rows || !s->sorted)
        return err_set(err, ERR_NOMEM, "pocketsphinx: no memory for %zu frames", n_frames);
    for (size_t i = 0; i < n_frames; i++)
        s->rows[i] = s->cep + i * (size_t)s->n_cep;
    s->cap_frames = n_frames;
    return true;
}

static int by_value(const void *a, const void *b)
{
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* The library takes the mean of the cepstra of a whole utterance off, over the frames whose c0 is not negative (sphinxbase
 * cmn.c).  Shifting c0 so that zero is the loudness of an average frame of the training data makes that the mean over
 * speech, not over pauses; when less than a quarter is that loud, the loudest quarter counts.  Seen on the recordings of
 * ../shared/models: 13 word errors instead of 27 (the command-line tool: a mean that follows slowly). */
static void centre(struct sphinx *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s->sorted[i] = s->rows[i][0];
    qsort(s->sorted, n, sizeof(float), by_value);
    const float loud = s->sorted[n * 3 / 4], zero = s->mean_c0 < loud ? s->mean_c0 : loud;
    for (size_t i = 0; i < n; i++)
        s->rows[i][0] -= zero;
}

static bool emit_words(struct sphinx *s, sphinx_word_fn *fn, void *ctx, struct err *err)
{
    logmath_t *log = ps_get_logmath(s->ps);
    for (ps_seg_t *g = ps_seg_iter(s->ps); g; g = ps_seg_next(g)) {
        char word[128];
        int start, end;
        const char *w = ps_seg_word(g);
        if (!w || strchr("<[+(", *w)) /* <s>, <sil>, [NOISE], ++UH++, (NULL); "" too */
            continue;
        snprintf(word, sizeof(word), "%s", w);
        char *variant = strchr(word, '('); /* read(2): the second way to say it */
        if (variant)
            *variant = '\0';
        ps_seg_frames(g, &start, &end);
        const double p = logmath_exp(log, ps_seg_prob(g, NULL, NULL, NULL));
        if (!fn(ctx, word, start * 0.01, (end + 1) * 0.01, (float)(p < 1 ? p : 1), err)) {
            ps_seg_free(g);
            return false;
        }
    }
    return true;
}

bool sphinx_hear(struct sphinx *s, const int16_t *pcm, size_t n, sphinx_word_fn *fn, void *ctx, struct err *err)
{
    if (n < 1600)
        return true;
    if (!reserve(s, n / HOP + 8, err))
        return false;
    int32_t n_frames = (int32_t)s->cap_frames - 1, n_last = 0, at;
    fe_start_stream(s->fe); /* forgets the noise of the chunk before */
    if (fe_start_utt(s->fe) < 0 || fe_process_frames(s->fe, &pcm, &n, s->rows, &n_frames, &at) < 0 ||
        fe_end_utt(s->fe, s->rows[n_frames], &n_last) < 0 || n_frames + n_last < 4)
        return err_set(err, ERR_INTERNAL, "pocketsphinx: no features came out of %zu samples", n);
    n_frames += n_last;
    centre(s, (size_t)n_frames);
    if (ps_start_utt(s->ps) < 0)
        return err_set(err, ERR_INTERNAL, "pocketsphinx: cannot begin an utterance");
    const int searched = ps_process_cep(s->ps, s->rows, n_frames, 0, 1);
    if (ps_end_utt(s->ps) < 0 || searched < 0)
        return err_set(err, ERR_INTERNAL, "pocketsphinx: the search failed");
    return emit_words(s, fn, ctx, err);
}
