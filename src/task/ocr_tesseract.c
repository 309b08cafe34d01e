/* task/ocr_tesseract.c - kind tesseract, task ocr: text in pictures, read by Tesseract's library.
 *
 * For:     the floor that any Debian has (docs/CARDS.md, "Text in pictures").
 * Touches: libtesseract.so.5, libleptonica, loaded when the first card opens; its language files.
 * Thread:  one: OMP_THREAD_LIMIT=1 is set before the library is loaded, because its OpenMP threads spin against each other
 *          (shared/DEPENDENCIES.md section 7: 765 -> 82 ms).  More pictures at a time are more workers.
 * Rule:    its functions are declared here after capi.h of 5.3.0; a picture goes in grey, small letters enlarged, shadows
 *          taken out when the paper is lit unevenly (then both forms are read and the better reading counts).
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/dl.h"
#include "media/image.h"
#include "media/resize.h"
#include "task/ocr_prep.h"
#include "task/ocr_words.h"
#include "task/task.h"

typedef struct tess_api tess_api;
typedef struct tess_iterator tess_iterator;
typedef struct tess_page_iterator tess_page_iterator;
typedef struct tess_monitor tess_monitor;
enum { TESS_LINE = 2, TESS_WORD = 3 }; /* TessPageIteratorLevel */
enum { LEPT_SILENT = 6 };              /* L_SEVERITY_NONE */

static struct {
    const char *(*version)(void);
    tess_api *(*create)(void);
    void (*delete)(tess_api *);
    int (*init)(tess_api *, const char *datapath, const char *language);
    void (*end)(tess_api *);
    int (*set_variable)(tess_api *, const char *name, const char *value);
    void (*set_page_mode)(tess_api *, int mode);
    void (*set_image)(tess_api *, const unsigned char *px, int w, int h, int bytes_per_px, int bytes_per_row);
    void (*set_resolution)(tess_api *, int ppi);
    int (*recognize)(tess_api *, tess_monitor *);
    void (*clear)(tess_api *);
    tess_iterator *(*iterator)(tess_api *);
    void (*iterator_delete)(tess_iterator *);
    tess_page_iterator *(*page_iterator)(tess_iterator *);
    int (*next)(tess_iterator *, int level);
    char *(*text)(const tess_iterator *, int level);
    float (*confidence)(const tess_iterator *, int level);
    int (*box)(const tess_page_iterator *, int level, int *left, int *top, int *right, int *bottom);
    int (*at_beginning)(const tess_page_iterator *, int level);
    void (*text_delete)(const char *);
    tess_monitor *(*monitor_create)(void);
    void (*monitor_delete)(tess_monitor *);
    void (*monitor_set_cancel)(tess_monitor *, bool (*)(void *, int));
    void (*monitor_set_this)(tess_monitor *, void *);
} tess;
static const struct dl_symbol tess_symbols[] = {
    { "TessVersion", &tess.version }, { "TessBaseAPICreate", &tess.create }, { "TessBaseAPIDelete", &tess.delete },
    { "TessBaseAPIInit3", &tess.init }, { "TessBaseAPIEnd", &tess.end }, { "TessBaseAPISetVariable", &tess.set_variable },
    { "TessBaseAPISetPageSegMode", &tess.set_page_mode }, { "TessBaseAPISetImage", &tess.set_image },
    { "TessBaseAPISetSourceResolution", &tess.set_resolution }, { "TessBaseAPIRecognize", &tess.recognize },
    { "TessBaseAPIClear", &tess.clear }, { "TessBaseAPIGetIterator", &tess.iterator },
    { "TessResultIteratorDelete", &tess.iterator_delete }, { "TessResultIteratorGetPageIterator", &tess.page_iterator },
    { "TessResultIteratorNext", &tess.next }, { "TessResultIteratorGetUTF8Text", &tess.text },
    { "TessResultIteratorConfidence", &tess.confidence }, { "TessPageIteratorBoundingBox", &tess.box },
    { "TessPageIteratorIsAtBeginningOf", &tess.at_beginning }, { "TessDeleteText", &tess.text_delete },
    { "TessMonitorCreate", &tess.monitor_create }, { "TessMonitorDelete", &tess.monitor_delete },
    { "TessMonitorSetCancelFunc", &tess.monitor_set_cancel }, { "TessMonitorSetCancelThis", &tess.monitor_set_this }, { NULL, NULL },
};
static struct dl tess_library = DL_INIT("libtesseract.so.5", "reading text in pictures", "apt-get install tesseract-ocr", tess_symbols);
static int (*lept_set_severity)(int);
static const struct dl_symbol lept_symbols[] = { { "setMsgSeverity", &lept_set_severity }, { NULL, NULL } };
static struct dl lept_library = DL_INIT("liblept.so.5", "reading text in pictures", "apt-get install liblept5", lept_symbols);

struct ocr_tesseract {
    tess_api *api;
    tess_monitor *monitor;
    char language[64], card_language[64]; /* "eng+deu": loaded, the card's */
    const char *data_folder; /* borrowed from the card; NULL: the library's own */
    char data_path[512];
    int page_mode, dpi;
    bool may_enlarge, may_flatten;
    struct image gray;
    struct ocr_prep prep;
    struct ocr_words words[2]; /* of the picture as it is, without shadows */
};

/* ORDER PAGE */
static const char *const page_names[] = { "auto", "column", "block", "line", "word", "character", "sparse", NULL };
static const int page_modes[] = { 3, 4, 6, 7, 8, 10, 11 };

/* What people call a language -> what Tesseract calls it; more are in tesseract(1), LANGUAGES. */
static const char *const short_names[][2] = {
    { "ar", "ara" }, { "cs", "ces" }, { "da", "dan" }, { "de", "deu" }, { "el", "ell" }, { "en", "eng" }, { "es", "spa" },
    { "fi", "fin" }, { "fr", "fra" }, { "he", "heb" }, { "hi", "hin" }, { "hu", "hun" }, { "it", "ita" }, { "ja", "jpn" },
    { "ko", "kor" }, { "nb", "nor" }, { "nl", "nld" }, { "no", "nor" }, { "pl", "pol" }, { "pt", "por" }, { "ro", "ron" },
    { "ru", "rus" }, { "sv", "swe" }, { "tr", "tur" }, { "uk", "ukr" }, { "vi", "vie" }, { "zh", "chi_sim" },
};

/* "de" -> "deu", "eng+fra" as it is; false: cannot be the name of a language file. */
static bool language_code(const char *name, char out[64])
{
    const size_t n = strlen(name);
    if (n < 2 || n >= 64 || strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_+") != n)
        return false;
    const char *code = name;
    for (size_t i = 0; i < sizeof(short_names) / sizeof(*short_names); i++)
        if (strcmp(name, short_names[i][0]) == 0)
            code = short_names[i][1];
    snprintf(out, 64, "%s", code);
    return true;
}

static bool load_language(struct ocr_tesseract *t, const char *code, struct err *err)
{
    if (strcmp(t->language, code) == 0)
        return true;
    tess.end(t->api);
    t->language[0] = '\0';
    if (tess.init(t->api, t->data_folder, code) != 0) {
        char first[64];
        snprintf(first, sizeof(first), "%.*s", (int)strcspn(code, "+"), code);
        for (char *c = first; *c; c++)
            *c = *c == '_' ? '-' : *c;
        return err_set(err, ERR_NOT_FOUND, "tesseract: no language file for '%s': apt-get install tesseract-ocr-%s", code, first);
    }
    tess.set_variable(t->api, "debug_file", "/dev/null"); /* its remarks */
    snprintf(t->language, sizeof(t->language), "%s", code);
    return true;
}

static void close_tesseract(void *self)
{
    struct ocr_tesseract *t = self;
    if (t->monitor)
        tess.monitor_delete(t->monitor);
    if (t->api) {
        tess.end(t->api);
        tess.delete(t->api);
    }
    image_fini(&t->gray);
    ocr_prep_fini(&t->prep);
    ocr_words_fini(&t->words[0]);
    ocr_words_fini(&t->words[1]);
    free(t);
}

static bool read_card(struct ocr_tesseract *t, const struct card *c, struct err *err)
{
    static const char *const keys[] = { "language", "page", "dpi", "enlarge", "flatten", "tessdata", NULL };
    const char *language = "eng";
    int64_t dpi = 0;
    int page = 0;
    t->may_enlarge = t->may_flatten = true;
    if (!card_check_keys(c, keys, err) || !yaml_text(c->yaml, c->node, "language", &language, err) ||
        !yaml_choice(c->yaml, c->node, "page", page_names, &page, err) || !yaml_int(c->yaml, c->node, "dpi", 1, 2400, &dpi, err) ||
        !yaml_bool(c->yaml, c->node, "enlarge", &t->may_enlarge, err) || !yaml_bool(c->yaml, c->node, "flatten", &t->may_flatten, err) ||
        !card_file(c, "tessdata", false, t->data_path, sizeof(t->data_path), err))
        return false;
    if (!language_code(language, t->card_language))
        return card_fail(c, yaml_get(c->node, "language"), err, "language: letters, _ and + are wanted, as in eng+deu");
    t->page_mode = page_modes[page];
    t->dpi = (int)dpi;
    t->data_folder = t->data_path[0] ? t->data_path : NULL;
    return true;
}

static bool open_tesseract(void **self, const struct card *card, const struct task_env *env, struct err *err)
{
    (void)env;
    setenv("OMP_THREAD_LIMIT", "1", 1); /* libgomp reads it when it is loaded */
    if (!dl_load(&tess_library, err))
        return false;
    struct err none = { 0 };
    if (dl_load(&lept_library, &none))
        lept_set_severity(LEPT_SILENT);
    struct ocr_tesseract *t = calloc(1, sizeof(*t));
    if (!t)
        return err_set(err, ERR_NOMEM, "tesseract: no memory");
    ocr_words_init(&t->words[0]);
    ocr_words_init(&t->words[1]);
    t->api = tess.create();
    t->monitor = tess.monitor_create();
    if (!t->api || !t->monitor)
        err_set(err, ERR_NOMEM, "tesseract: no memory");
    else if (read_card(t, card, err) && load_language(t, t->card_language, err)) {
        *self = t;
        return true;
    }
    close_tesseract(t);
    return false;
}

static void info_tesseract(void *self, struct task_info *out)
{
    const struct ocr_tesseract *t = self;
    out->tasks = EXPERT_OCR;
    out->memory_bytes = 40 << 20; /* RSS with English, measured */
    snprintf(out->runs_on, sizeof(out->runs_on), "tesseract %.12s, CPU, %.30s", tess.version(), t->language);
}

/* ---- one picture ---- */

static bool is_unwanted(void *out, int n_words)
{
    (void)n_words;
    const struct task_out *o = out;
    return o->is_cancelled(o->ctx);
}

static bool get_gray(struct ocr_tesseract *t, const struct task_media *m, struct err *err)
{
    if (m->form == MEDIA_ENCODED)
        return image_decode(m->bytes, m->n_bytes, 1, NULL, &t->gray, err);
    if (m->form != MEDIA_RGB8 && m->form != MEDIA_GREY8)
        return err_set(err, ERR_INPUT, "ocr: a picture is wanted");
    const int n_channels = m->form == MEDIA_RGB8 ? 3 : 1;
    const struct image view = { .px = (uint8_t *)(uintptr_t)m->bytes, .w = m->width_px, .h = m->height_px, .n_channels = n_channels,
                                .stride = (size_t)m->width_px * (size_t)n_channels };
    return image_to_grey(&view, &t->gray, err);
}

/* Reads px [h][w], whose coordinates are `factor` times those of the picture. */
static bool read_words(struct ocr_tesseract *t, const uint8_t *px, int w, int h, int factor, float threshold, const struct task_out *out,
                       struct ocr_words *words, struct err *err)
{
    ocr_words_clear(words);
    tess.set_page_mode(t->api, t->page_mode);
    tess.set_image(t->api, px, w, h, 1, w);
    if (t->dpi)
        tess.set_resolution(t->api, t->dpi * factor);
    tess.monitor_set_this(t->monitor, (void *)(uintptr_t)out);
    tess.monitor_set_cancel(t->monitor, is_unwanted);
    const int status = tess.recognize(t->api, t->monitor);
    if (out->is_cancelled(out->ctx))
        return err_set(err, ERR_CANCELLED, "cancelled");
    if (status != 0)
        return err_set(err, ERR_INPUT, "tesseract: cannot read this picture of %d x %d pixels", w, h);
    tess_iterator *it = tess.iterator(t->api); /* NULL: nothing was found */
    bool good = true;
    int line = -1;
    while (it && good) {
        const tess_page_iterator *at = tess.page_iterator(it);
        char *text = tess.text(it, TESS_WORD);
        int left = 0, top = 0, right = 0, bottom = 0;
        if (tess.at_beginning(at, TESS_LINE) || line < 0)
            line++;
        const float score = tess.confidence(it, TESS_WORD) / 100;
        if (text && tess.box(at, TESS_WORD, &left, &top, &right, &bottom) && score >= threshold) {
            const float f = (float)factor;
            const struct result_word where = { .score = score < 1 ? score : 1, .x = (float)left / f, .y = (float)top / f,
                                               .w = (float)(right - left) / f, .h = (float)(bottom - top) / f, .line = line };
            if (text[strspn(text, " \n\t")] != '\0')
                good = ocr_words_add(words, text, strlen(text), &where, err);
        }
        tess.text_delete(text);
        if (!tess.next(it, TESS_WORD))
            break;
    }
    if (it)
        tess.iterator_delete(it);
    return good;
}

/* How much was read, and how surely: characters weighted by what their words' scores have above a half. */
static double weigh(const struct ocr_words *words)
{
    double sum = 0;
    for (int i = 0; i < words->n_words; i++)
        sum += ((double)words->words[i].score - 0.5) *
               (double)strlen(words->strings.data + words->begins[i]);
    return sum;
}

static bool run_tesseract(void *self, const struct task_request *rq, const struct task_out *out, struct err *err)
{
    struct ocr_tesseract *t = self;
    char language[64];
    snprintf(language, sizeof(language), "%s", t->card_language);
    if (rq->options.language && !language_code(rq->options.language, language))
        return err_set(err, ERR_INPUT, "language: letters, _ and + are wanted, as in eng+deu");
    if (!load_language(t, language, err) || !get_gray(t, &rq->media[0], err) ||
        !ocr_prep_look(&t->prep, t->gray.px, t->gray.w, t->gray.h, err))
        return false;
    const int w = t->gray.w, h = t->gray.h, factor = t->may_enlarge ? ocr_prep_factor(t->prep.text_px, w, h) : 1;
    ocr_words_clear(&t->words[0]);
    const int n_forms = t->prep.is_blank ? 0 : t->may_flatten && t->prep.is_uneven ? 2 : 1; /* blank: it would see things */
    bool good = true;
    for (int i = 0; i < n_forms && good; i++) {
        const uint8_t *px = i == 0 ? t->gray.px : t->prep.even;
        if (factor > 1)
            px = ocr_prep_scale(&t->prep, px, w, h, factor, err);
        good = px && read_words(t, px, w * factor, h * factor, factor, rq->options.threshold, out, &t->words[i], err);
        tess.clear(t->api);
    }
    if (!good)
        return false;
    struct ocr_words *best = n_forms == 2 && weigh(&t->words[1]) > weigh(&t->words[0]) ? &t->words[1] : &t->words[0];
    struct task_result r = { .width_px = w, .height_px = h, .language = t->language };
    return ocr_words_result(best, &r, err) && task_emit_result(out, &r, err);
}

const struct task_kind task_ocr_tesseract = { "tesseract", "ocr", open_tesseract, close_tesseract, info_tesseract, run_tesseract, NULL };
