/* tests/fuzz/fuzz_journal.c - a row of the router's journal, from a file of somebody: never a crash; what was read stays within its bounds and
 * can be written, and reads the same again.  Input: 2 bytes n, n bytes of word lists (none: our own), 2 bytes m, m bytes of world, the decision. */
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "route/journal_internal.h"

static struct journal_entry entry, again;

static struct row_parts parts_of(struct journal_entry *e)
{
    return (struct row_parts){ .request = &e->request, .wish = &e->wish, .features = &e->features, .intent = &e->intent, .world = &e->world, .decision = &e->decision };
}
static void clear(struct journal_entry *e)
{
    memset(e, 0, sizeof(*e));
    e->world = (struct candidates){ .nodes = e->nodes, .list = e->candidates };
}

static void check(const struct journal_entry *e)
{
    const struct route_decision *d = &e->decision;
    char why[200];
    if (e->world.n < 0 || e->world.n > ROUTE_CANDIDATES_MAX || e->world.n_nodes < 0 || e->world.n_nodes > ROUTE_NODES_MAX || d->n != e->world.n || d->n_able > d->n)
        abort();
    for (int i = 0; i < e->world.n; i++)
        if (e->candidates[i].node < 0 || e->candidates[i].node >= e->world.n_nodes || !memchr(e->candidates[i].expert, '\0', ROUTE_NAME_MAX) ||
            (int)d->verdicts[i].rule >= ROUTE_RULE_COUNT || (unsigned)e->candidates[i].cls >= ROUTE_CLASS_COUNT)
            abort();
    for (int i = 0; i < d->n_able; i++)
        if (d->order[i] >= d->n)
            abort();
    if (d->promotion >= d->n)
        abort();
    policy_put_why(&e->request, &e->world, d, why, sizeof(why));
}

static size_t take(const uint8_t **data, size_t *n)
{
    const size_t want = *n < 2 ? 0 : (size_t)((*data)[0] | (*data)[1] << 8);
    if (*n < 2)
        return *n = 0;
    *data += 2, *n -= 2;
    return want < *n ? want : *n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static char text[1 << 16];
    static uint8_t bytes[1 << 20];
    struct row_words words;
    struct row r;
    size_t n_part = take(&data, &n);
    memcpy(text, data, n_part);
    text[n_part] = '\0';
    data += n_part, n -= n_part;
    if (n_part && !row_read_words(text, &words))
        return 0;
    const struct row_words *lists = n_part ? &words : NULL;
    n_part = take(&data, &n);
    clear(&entry);
    row_begin_reading(&r, data, n_part, lists);
    row_world(&r, &entry.world);
    if (r.failed)
        return 0;
    row_begin_reading(&r, data + n_part, n - n_part, lists);
    row_decision(&r, &(struct row_parts){ .request = &entry.request, .wish = &entry.wish, .features = &entry.features, .intent = &entry.intent, .world = &entry.world,
                                          .decision = &entry.decision });
    if (r.failed)
        return 0;
    check(&entry);

    struct row_parts parts = parts_of(&entry);
    row_begin_writing(&r, bytes, sizeof(bytes));
    row_world(&r, &entry.world);
    uint8_t *const world_end = r.at;
    row_decision(&r, &parts);
    if (r.failed)
        abort();
    uint8_t *const end = r.at;
    clear(&again);
    parts = parts_of(&again);
    row_begin_reading(&r, bytes, (size_t)(world_end - bytes), NULL);
    row_world(&r, &again.world);
    row_begin_reading(&r, world_end, (size_t)(end - world_end), NULL);
    row_decision(&r, &parts);
    if (r.failed || again.world.n != entry.world.n || memcmp(again.decision.order, entry.decision.order, sizeof(again.decision.order)) != 0 ||
        memcmp(&again.features, &entry.features, sizeof(again.features)) != 0)
        abort();
    check(&again);
    return 0;
}
