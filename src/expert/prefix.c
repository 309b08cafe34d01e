/* expert/prefix.c - between the scheduler and the file of prefixes (prefix_store.h); all but prefix_open() on the engine thread. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/log.h"
#include "expert/llm_internal.h"
#include "expert/prefix_store.h"
#include "hw/cpu.h"

_Static_assert((int)PREFIX_PAGE_TOK == (int)LLM_PAGE_TOK, "a page here is a page there");

/* What a prompt's K/V depend on beside its tokens: this file, and who computes. */
static uint64_t model_id(const struct expert_llm *e)
{
    char text[1024];
    struct stat st = { 0 };
    uint64_t shapes = 0;
    stat(gguf_path(e->gguf), &st);
    for (size_t i = 0; i < gguf_n_tensors(e->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(e->gguf, i);
        shapes = shapes * 0x9e3779b97f4a7c15u ^ hash_fnv64(t->name, strlen(t->name)) ^ (uint64_t)t->type << 56 ^ t->n_bytes;
    }
    const int n = snprintf(text, sizeof(text), "%llu %lld %ld %llx %x %s", (unsigned long long)gguf_file_bytes(e->gguf), (long long)st.st_mtim.tv_sec,
                           st.st_mtim.tv_nsec, (unsigned long long)shapes, (unsigned)(e->opt.cpu ? e->opt.cpu : cpu_flags()), TUTTI_VERSION);
    return hash_fnv64(text, (size_t)n);
}

void prefix_open(struct expert_llm *e)
{
    struct err err = { 0 };
    if (!e->prefix_dir || !(e->tasks & EXPERT_COMPLETE))
        return;
    e->prefix = prefix_store_open(e->prefix_dir, model_id(e), llm_page_kind(e->ctx), llm_page_bytes(e->ctx), e->opt.prefix_bytes, &err);
    if (!e->prefix) {
        log_warn("%s: %s; prefixes are not kept", e->id, err.text);
        return;
    }
    const struct prefix_store_figures f = prefix_store_figures(e->prefix);
    log_info("%s: %d tokens of prefixes in %s%s", e->id, f.n_pages * LLM_PAGE_TOK, e->prefix_dir, f.is_writer ? "" : ", which another process writes");
}

int prefix_fetch(struct expert_llm *e, int seq, const int32_t *ids, int n_ids, int n_reused)
{
    const void *page;
    while (n_reused + LLM_PAGE_TOK < n_ids && (page = prefix_store_find(e->prefix, ids, n_reused / LLM_PAGE_TOK)) &&
           llm_seq_put_page(e->ctx, seq, ids + n_reused, page))
        n_reused += LLM_PAGE_TOK;
    return n_reused;
}

bool prefix_keep_page(struct expert_llm *e)
{
    const int32_t *ids;
    int n;
    if (!prefix_store_next(e->prefix, &ids, &n))
        return false;
    const int seq = llm_seq_new(e->ctx);
    if (seq >= 0 && llm_seq_reuse(e->ctx, seq, ids, n + 1) == n) {
        llm_seq_get_page(e->ctx, seq, n / LLM_PAGE_TOK - 1, prefix_store_room(e->prefix));
        prefix_store_put(e->prefix);
    } else
        prefix_store_skip(e->prefix);
    if (seq >= 0)
        llm_seq_free(e->ctx, seq);
    return true;
}
