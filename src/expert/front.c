/* expert/front.c - the front thread of an LLM expert: loads the model, then makes token ids out of jobs.
 *
 * It also unloads it when that is asked for (residence.c).  A hostile template or a megabyte of text costs time here and not in the engine thread, where others' answers are
 * streaming.  Start at front_main().
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "base/thread.h"
#include "expert/draft.h"
#include "expert/llm_internal.h"
#include "hw/cpu.h"

enum {
    CONTEXT_LEAST_TOK = 512,
    DEFAULT_CTX_TOK = 4096,
    DEFAULT_KV_SEQS = 4,      /* sequences of full length that the cache holds by default */
    TOKENS_MAX = 8 << 20,     /* ids of one text; far beyond any context, so that errors can give the number */
    TOKENS_KEEP = 1 << 20,    /* a list longer than that is given back */
    RENDERED_MAX_BYTES = 64 << 20,
};
static const uint64_t RETRY_NS = 5000000000u; /* after a failed load, when it is lazy */

/* What the plain template's user turn begins with: a model without a template knows no better end. */
static const struct job_text plain_stop = { "\nUser:", 6 };

/* ---- loading ---- */

static enum dtype main_dtype(const struct gguf *g)
{
    uint64_t bytes[DTYPE_ID_MAX + 1] = { 0 };
    enum dtype best = 0;
    for (size_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        bytes[t->type] += t->n_bytes;
        if (bytes[t->type] > bytes[best])
            best = t->type;
    }
    return best;
}

/* The file's template, the option's, or the plain one. */
static bool load_template(struct expert_llm *e, struct err *err)
{
    struct gguf_str text = { 0 };
    if (e->template_text)
        text = (struct gguf_str){ e->template_text, strlen(e->template_text) };
    else if (!gguf_get_str(e->gguf, "tokenizer.chat_template", &text))
        text.data = NULL;
    if (text.data) {
        e->template = template_parse(text.data, text.len, err);
        if (e->template)
            return true;
        if (e->template_text) /* asked for by name: no silent replacement */
            return err_prefix(err, "chat template");
        log_warn("%s: the file's chat template: %s; a plain one is used", e->id, err->text);
        err_clear(err);
    } else {
        log_info("%s: no chat template in the file; chats use a plain one", e->id);
    }
    e->is_plain_template = true;
    const char *plain = template_default_chat();
    e->template = template_parse(plain, strlen(plain), err);
    return e->template != NULL;
}

static bool load_eog(struct expert_llm *e, struct err *err)
{
    const int32_t n = vocab_size(e->vocab) < e->n_vocab ? vocab_size(e->vocab) : e->n_vocab;
    for (int32_t i = 0; i < n; i++)
        e->n_eog += vocab_is_eog(e->vocab, i);
    e->eog = malloc((size_t)(e->n_eog + 1) * sizeof(*e->eog));
    if (!e->eog)
        return err_set(err, ERR_NOMEM, "no memory");
    for (int32_t i = 0, k = 0; i < n; i++)
        if (vocab_is_eog(e->vocab, i))
            e->eog[k++] = i;
    return true;
}

static void make_card(struct expert_llm *e)
{
    const struct llm_info *info = llm_model_info(e->model);
    pthread_mutex_lock(&e->lock);
    struct expert_card *c = &e->card;
    snprintf(c->name, sizeof(c->name), "%s", info->name);
    snprintf(c->architecture, sizeof(c->architecture), "%s", info->arch);
    snprintf(c->quantization, sizeof(c->quantization), "%s", dtype_info(main_dtype(e->gguf))->name);
    c->tasks = e->tasks;
    c->n_ctx = llm_ctx_n_ctx(e->ctx);
    c->n_ctx_train = info->n_ctx_train;
    c->n_vocab = info->n_vocab;
    c->n_embd = info->n_embd;
    c->n_seq_max = e->opt.n_seq_max;
    c->n_params = info->n_params;
    c->weight_bytes = info->weight_bytes;
    c->kv_bytes = info->kv_bytes_per_tok_f16 * (uint64_t)llm_ctx_kv_total_tok(e->ctx) / (e->opt.kv_q8 ? 2 : 1);
    if (e->draft) {
        c->weight_bytes += draft_weight_bytes(e->draft);
        c->kv_bytes += draft_kv_bytes(e->draft);
    }
    c->kv_block_tok = KV_PAGE_TOK;
    c->has_chat_template = e->template && !e->is_plain_template;
    c->knows_tools = e->template && template_reads(e->template, "tools");
    e->m.kv_total_tok = (uint64_t)llm_ctx_kv_total_tok(e->ctx);
    pthread_mutex_unlock(&e->lock);
}

static bool load(struct expert_llm *e, struct err *err)
{
    struct expert_llm_options *opt = &e->opt;
    kernels_choose(&e->kernels, opt->cpu ? opt->cpu : cpu_flags());
    e->vocab = vocab_open(e->gguf, err);
    if (!e->vocab)
        return err_prefix(err, "%s", gguf_path(e->gguf));
    if (opt->n_threads <= 0)
        opt->n_threads = cpu_default_threads();
    e->pool = pool_new(opt->n_threads, err);
    if (!e->pool)
        return false;
    e->model = llm_model_open(e->gguf, &e->kernels, e->pool, err);
    if (!e->model)
        return false;

    const struct llm_info *info = llm_model_info(e->model);
    e->n_vocab = info->n_vocab;
    e->n_embd = info->n_embd;
    e->tasks = info->is_encoder ? EXPERT_EMBED : EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED;
    if (opt->n_ctx <= 0)
        opt->n_ctx = info->n_ctx_train > 0 && info->n_ctx_train < DEFAULT_CTX_TOK ? info->n_ctx_train : DEFAULT_CTX_TOK;
    else if (info->n_ctx_train > 0 && opt->n_ctx > info->n_ctx_train)
        log_warn("%s: a context of %d tokens, but the model was trained on %d", e->id, opt->n_ctx, info->n_ctx_train);
    if (opt->n_kv_tok <= 0) {
        const int64_t n = (int64_t)opt->n_ctx * (opt->n_seq_max < DEFAULT_KV_SEQS ? opt->n_seq_max : DEFAULT_KV_SEQS);
        opt->n_kv_tok = n > INT32_MAX ? INT32_MAX : (int)n;
    }
    if (!info->is_encoder && !load_template(e, err))
        return false;
    if (!load_eog(e, err) || !engine_init(e, err))
        return false;
    prefix_open(e);
    return true;
}

/* ---- a job's prompts ---- */

/* The longest prompt and answer at this moment: expert_limit(). */
static int limit_now(struct expert_llm *e) { return llm_share(e->n_limit_tok, atomic_load(&e->context_share), CONTEXT_LEAST_TOK); }

static bool keep_ids(struct expert_llm *e, struct work *w, struct prompt *p, const int32_t *ids, size_t n,
                     struct err *err)
{
    const int n_room = w->job->task == EXPERT_EMBED ? 0 : 1; /* for at least one token of an answer */
    const int n_now = limit_now(e);
    if (n_now < e->n_limit_tok && n + (size_t)n_room > (size_t)n_now && n + (size_t)n_room <= (size_t)e->n_limit_tok)
        return err_set(err, ERR_BUSY, "the prompt has %zu tokens; for now %s takes %d only: the governor has turned its context down", n, e->id, n_now);
    if (n + (size_t)n_room > (size_t)e->n_limit_tok)
        return err_set(err, ERR_INPUT,
                       "context_length_exceeded: the prompt has %zu tokens, and the context of %s holds %d%s", n, e->id,
                       e->n_limit_tok, n_room ? " with the answer" : "");
    if (n == 0)
        return err_set(err, ERR_INPUT, "the prompt is empty");
    for (size_t i = 0; i < n; i++)
        if (ids[i] < 0 || ids[i] >= e->n_vocab)
            return err_set(err, ERR_INPUT, "token id %d: the vocabulary has %d", ids[i], e->n_vocab);
    p->ids = malloc(n * sizeof(*ids));
    if (!p->ids)
        return err_set(err, ERR_NOMEM, "no memory for a prompt of %zu tokens", n);
    memcpy(p->ids, ids, n * sizeof(*ids));
    p->n = (int)n;
    return true;
}

/* BOS is put in front by hand: TOKEN_ADD_SPECIAL would also put EOS behind a prompt that shall go on. */
static bool push_bos(struct expert_llm *e, struct err *err)
{
    const int32_t bos = vocab_role(e->vocab, VOCAB_BOS);
    return !vocab_adds_bos(e->vocab) || bos == TOKEN_NONE || token_list_push(&e->tokens, bos, err);
}

static bool read_input(struct expert_llm *e, struct work *w, int i, struct err *err)
{
    const struct job_input *in = &w->job->inputs[i];
    if (!in->text)
        return keep_ids(e, w, &w->prompts[i], in->ids, (size_t)in->n_ids, err);
    const bool embed = w->job->task == EXPERT_EMBED;
    unsigned flags = in->special ? TOKEN_PARSE_SPECIAL : 0;
    e->tokens.len = 0;
    if (embed && !in->raw)
        flags |= TOKEN_ADD_SPECIAL;
    else if (!in->raw && !push_bos(e, err))
        return false;
    return vocab_tokenize(e->vocab, in->text, in->n_text, flags, &e->tokens, err) &&
           keep_ids(e, w, &w->prompts[i], e->tokens.ids, e->tokens.len, err);
}

static bool set_token_text(struct expert_llm *e, json_t *vars, const char *name, enum vocab_role role)
{
    const int32_t id = vocab_role(e->vocab, role);
    const struct gguf_str s = id == TOKEN_NONE ? (struct gguf_str){ "", 0 } : vocab_text(e->vocab, id);
    if (json_object_get(vars, name))
        return true;
    json_t *text = json_stringn(s.data, s.len);
    return json_object_set_new(vars, name, text ? text : json_string("")) == 0;
}

static bool render_chat(struct expert_llm *e, const struct job *j, struct err *err)
{
    json_t *vars = json_copy(j->vars); /* shallow: the messages are shared */
    bool ok = vars && set_token_text(e, vars, "bos_token", VOCAB_BOS) && set_token_text(e, vars, "eos_token", VOCAB_EOS) &&
              (json_object_get(vars, "add_generation_prompt") ||
               json_object_set_new(vars, "add_generation_prompt", json_true()) == 0);
    if (!ok)
        err_set(err, ERR_NOMEM, "no memory for the chat template's variables");
    else if (!template_render(e->template, vars, NULL, &e->rendered, err))
        ok = err_prefix(err, "chat template");
    json_decref(vars);
    return ok;
}

static bool read_chat(struct expert_llm *e, struct work *w, struct err *err)
{
    buf_clear(&e->rendered);
    if (!render_chat(e, w->job, err))
        return false;
    const char *text = e->rendered.data ? e->rendered.data : "";
    const int32_t bos = vocab_role(e->vocab, VOCAB_BOS);
    const struct gguf_str s = bos == TOKEN_NONE ? (struct gguf_str){ "", 0 } : vocab_text(e->vocab, bos);
    const bool has_bos = s.len > 0 && e->rendered.len >= s.len && memcmp(text, s.data, s.len) == 0;
    e->tokens.len = 0;
    return (has_bos || push_bos(e, err)) &&
           vocab_tokenize(e->vocab, text, e->rendered.len, TOKEN_PARSE_SPECIAL, &e->tokens, err) &&
           keep_ids(e, w, &w->prompts[0], e->tokens.ids, e->tokens.len, err);
}

/* ---- its parameters ---- */

static bool has_text(const char *s, size_t n, const struct job_text *t)
{
    for (size_t i = 0; t->n > 0 && i + t->n <= n; i++)
        if (memcmp(s + i, t->text, t->n) == 0)
            return true;
    return false;
}

/* A bit for each token whose text holds one of these. */
static uint64_t *find_breakers(const struct expert_llm *e, const struct job_text *texts, int n_texts, struct err *err)
{
    struct buf piece;
    uint64_t *bits = calloc((size_t)e->n_vocab / 64 + 1, sizeof(*bits));
    if (!bits)
        return err_null(err, ERR_NOMEM, "no memory for DRY's breakers");
    buf_init(&piece, 1 << 20);
    for (int32_t t = 0; t < e->n_vocab && t < vocab_size(e->vocab); t++) {
        buf_clear(&piece);
        vocab_piece(e->vocab, t, &piece);
        for (int i = 0; i < n_texts; i++)
            if (has_text(piece.data, piece.len, &texts[i]))
                bits[t >> 6] |= (uint64_t)1 << (t & 63);
    }
    buf_fini(&piece);
    return bits;
}

static bool make_breakers(struct expert_llm *e, struct work *w, const uint64_t **out, struct err *err)
{
    static const struct job_text usual[] = { { "\n", 1 }, { ":", 1 }, { "\"", 1 }, { "*", 1 } };
    const struct job *j = w->job;
    *out = NULL;
    if (j->sampling.dry_multiplier <= 0)
        return true;
    if (j->dry_breakers) {
        *out = w->dry_breakers = find_breakers(e, j->dry_breakers, j->n_dry_breakers, err);
        return *out != NULL;
    }
    if (!e->dry_breakers)
        e->dry_breakers = find_breakers(e, usual, 4, err);
    *out = e->dry_breakers;
    return *out != NULL;
}

static bool make_choices(struct expert_llm *e, struct work *w, struct err *err)
{
    const struct job *j = w->job;
    struct sampler_params p = j->sampling;
    if (!sampler_check(&p, e->n_vocab, err) || !make_breakers(e, w, &p.dry_breakers, err))
        return false;
    w->n_gens = w->n_prompts * j->n_choices;
    w->gens = calloc((size_t)w->n_gens, sizeof(*w->gens));
    if (!w->gens) {
        w->n_gens = 0;
        return err_set(err, ERR_NOMEM, "no memory for %d choices", w->n_prompts * j->n_choices);
    }
    for (int i = 0; i < w->n_gens; i++) {
        struct gen *g = &w->gens[i];
        const struct prompt *prompt = &w->prompts[i / j->n_choices];
        g->work = w;
        g->choice = i;
        g->prompt = i / j->n_choices;
        g->seq = -1;
        g->n_prompt = prompt->n;
        const int n_now = limit_now(e), n_room = (n_now > prompt->n ? n_now : e->n_limit_tok) - prompt->n; /* it may have been turned down since */
        g->max_tokens = prompt->n + (j->max_tokens > 0 && j->max_tokens < n_room ? j->max_tokens : n_room);
        p.seed = j->sampling.seed + (uint64_t)(i % j->n_choices);
        sampler_init(&g->sampler, &p);
    }
    for (int i = 0; i < j->n_stops; i++)
        w->stops[w->n_stops++] = j->stops[i];
    if (j->task == EXPERT_CHAT && e->is_plain_template)
        w->stops[w->n_stops++] = plain_stop;
    return true;
}

/* Everything that the engine thread needs; w->err when it fails. */
static bool prepare(struct expert_llm *e, struct work *w, struct err *err)
{
    const struct job *j = w->job;
    if (!(e->tasks & j->task))
        return err_set(err, ERR_UNSUPPORTED, "%s cannot do '%s'", e->id, expert_task_name(j->task));
    const int n = j->task == EXPERT_CHAT ? 1 : j->n_inputs;
    w->prompts = calloc((size_t)n, sizeof(*w->prompts));
    if (!w->prompts)
        return err_set(err, ERR_NOMEM, "no memory for %d prompts", n);
    w->n_prompts = n;
    for (int i = 0; i < n; i++) {
        if (job_is_cancelled(j))
            return true; /* the engine thread ends it */
        if (!(j->task == EXPERT_CHAT ? read_chat(e, w, err) : read_input(e, w, i, err)))
            return j->task != EXPERT_CHAT && n > 1 ? err_prefix(err, "input %d", i) : false;
        w->usage.n_prompt_tok += w->prompts[i].n;
    }
    return j->task == EXPERT_EMBED || make_choices(e, w, err);
}

static void forget_large(struct expert_llm *e)
{
    if (e->tokens.cap > TOKENS_KEEP) {
        token_list_fini(&e->tokens);
        token_list_init(&e->tokens, TOKENS_MAX);
    }
    if (e->rendered.cap > TOKENS_KEEP * 4u) {
        buf_fini(&e->rendered);
        buf_init(&e->rendered, RENDERED_MAX_BYTES);
    }
}

/* While the model is there.  true: it shall go (the state is cold, the engine thread sleeps); false: the end. */
static bool serve_inbox(struct expert_llm *e)
{
    uint64_t idle_until_ns = UINT64_MAX;
    pthread_mutex_lock(&e->lock);
    while (!e->quit) {
        struct work *w = e->inbox.first;
        const bool is_still = e->n_jobs == e->inbox.n && !e->ready.first && e->is_engine_idle;
        /* jobs that wait keep it, unless others need the memory: the keeper has let it work for a while */
        if (is_still && (e->give_back || (!w && (e->wants_unload || clock_ns() >= idle_until_ns)))) {
            e->m.state = EXPERT_COLD;
            pthread_mutex_unlock(&e->lock);
            return true;
        }
        if (is_still && !w && e->has_begun) {
            pthread_mutex_unlock(&e->lock);
            e->has_begun = false;
            if (e->seat)
                keeper_end(e->seat);
            idle_until_ns = e->opt.keep_ms ? clock_ns() + e->opt.keep_ms * 1000000u : UINT64_MAX;
            pthread_mutex_lock(&e->lock);
        } else if (!w || e->give_back) {
            thread_wait(&e->front_wake, &e->lock, e->has_begun ? UINT64_MAX : idle_until_ns);
        } else if (!e->has_begun) {
            pthread_mutex_unlock(&e->lock);
            e->has_begun = !e->seat || keeper_begin(e->seat);
            pthread_mutex_lock(&e->lock);
            e->give_back |= !e->has_begun;
        } else {
            QUEUE_REMOVE(&e->inbox, w);
            pthread_mutex_unlock(&e->lock);
            w->failed = !prepare(e, w, &w->err);
            forget_large(e);
            pthread_mutex_lock(&e->lock);
            QUEUE_PUSH(&e->ready, w);
            pthread_cond_signal(&e->engine_wake);
        }
    }
    pthread_mutex_unlock(&e->lock);
    return false;
}

/* Sleeps until the model is wanted.  false: the end. */
static bool wait_until_wanted(struct expert_llm *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->quit && e->m.state != EXPERT_LOADING && !(e->m.state == EXPERT_COLD && (e->inbox.first || e->wants_warm)))
        pthread_cond_wait(&e->front_wake, &e->lock);
    const bool ok = !e->quit;
    if (ok) {
        e->m.state = EXPERT_LOADING;
        e->wants_unload = e->give_back = false;
    }
    pthread_mutex_unlock(&e->lock);
    return ok;
}

static void tell_state(struct expert_llm *e, enum expert_state state, uint64_t load_ns, const struct err *why)
{
    pthread_mutex_lock(&e->lock);
    e->m.load_ns = load_ns;
    e->m.state = state;
    e->down = *why;
    e->retry_ns = clock_ns() + RETRY_NS;
    snprintf(e->m.why, sizeof(e->m.why), "%s", state == EXPERT_DOWN ? why->text : "");
    e->wants_warm = false;
    pthread_cond_broadcast(&e->changed);
    pthread_cond_signal(&e->engine_wake);
    pthread_mutex_unlock(&e->lock);
}

void *front_main(void *arg)
{
    struct expert_llm *e = arg;
    token_list_init(&e->tokens, TOKENS_MAX);
    buf_init(&e->rendered, RENDERED_MAX_BYTES);
    while (wait_until_wanted(e)) {
        struct err err = { 0 };
        const enum residence may = residence_ask(e, &err);
        const uint64_t start = clock_ns();
        if (may == RESIDENCE_QUIT) {
            tell_state(e, EXPERT_COLD, 0, &err);
            continue;
        }
        const bool ok = may == RESIDENCE_GO && load(e, &err);
        const uint64_t load_ns = clock_ns() - start;
        if (ok) {
            make_card(e);
            residence_loaded(e, load_ns);
        } else {
            residence_unload(e);
            if (may == RESIDENCE_GO)
                residence_gave(e);
        }
        tell_state(e, ok ? EXPERT_WARM : EXPERT_DOWN, load_ns, &err);
        if (ok) {
            log_info("%s: ready after %.0f ms", e->id, (double)load_ns / 1e6);
            residence_watch_packing(e, start);
        } else if (!e->opt.is_quiet)
            log_error("%s: %s", e->id, err.text);
        if (ok && serve_inbox(e)) {
            residence_unload(e);
            residence_gave(e);
            log_info("%s: unloaded", e->id);
        }
    }
    return NULL;
}
