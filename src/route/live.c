/* route/live.c - see live.h; start reading at live_look(). */
#include "route/live.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "plan/model.h"
#include "plan/speed.h"
#include "route/ladder.h"
#include "route/quality.h"

/* Rules of thumb until something was seen (then predict.h corrects them); a network that is not ours, a disk, a CPU. */
static const float LAN_RTT_S = 0.002f, CLOUD_RTT_S = 0.08f, LAN_BYTES_S = 50e6f, CLOUD_BYTES_S = 5e6f;
static const float SERVER_FIXED_S = 0.005f, DISK_BYTES_S = 1e9f, START_S = 0.5f;
static const float REMOTE_PREFILL_TOK_S = 1500, REMOTE_DECODE_TOK_S = 40;
static const float PICTURE_S = 0.15f, SOUND_S_S = 0.15f, EMBED_S = 0.02f;
static const float CPU_BUSY_W = 20;

static const struct route_node here = { .name = "local", .distance = EXPERT_LOCAL, .is_up = true, .link_bytes_s = INFINITY, .idle_w = NAN, .usd_per_kwh = NAN,
                                        .temperature_c = NAN, .headroom_c = NAN, .power_w = NAN, .battery_frac = NAN, .memory_free_bytes = NAN,
                                        .pressure_frac = NAN, .busy_frac = NAN };

void live_set_device(struct live *l, const struct plan_device *device)
{
    static const struct plan_device small = { .cls = PLAN_CPU, .n_devices = 1, .is_unified = true, .bw_gbps = 30, .fp32_tflops = 0.3, .cores = 4, .load_w = CPU_BUSY_W };
    l->device = device ? *device : small;
    if (!(l->device.bw_gbps > 0)) /* a virtual machine does not say what its memory is */
        l->device.bw_gbps = small.bw_gbps;
    if (!(l->device.fp32_tflops > 0))
        l->device.fp32_tflops = small.fp32_tflops;
    for (int i = 0; i < l->world.n; i++)
        l->of[i].seen = EXPERT_STATE_COUNT;
}

bool live_init(struct live *l, const struct plan_device *device, struct err *err)
{
    enum { NODES = 16, EXPERTS = 32 };
    memset(l, 0, sizeof(*l));
    live_set_device(l, device);
    l->world.nodes = malloc(NODES * sizeof(*l->world.nodes));
    l->node_of = malloc(NODES * sizeof(*l->node_of));
    l->world.list = malloc(EXPERTS * sizeof(*l->world.list));
    l->of = malloc(EXPERTS * sizeof(*l->of));
    if (!l->world.nodes || !l->node_of || !l->world.list || !l->of)
        return err_set(err, ERR_NOMEM, "the router: out of memory");
    l->n_nodes_max = NODES, l->n_max = EXPERTS;
    l->world.nodes[0] = here;
    l->world.n_nodes = 1;
    l->node_of[0] = (struct live_node){ 0 };
    live_set_self(l, here.name);
    return true;
}

void live_fini(struct live *l)
{
    free(l->world.nodes);
    free(l->node_of);
    free(l->world.list);
    free(l->of);
    memset(l, 0, sizeof(*l));
}

static uint64_t key_of(const char *name) { return hash_fnv64(name, strlen(name)); }

void live_set_self(struct live *l, const char *name) { l->node_of[0].key = key_of(name); }

/* ---- places ---- */

static bool grow(void **a, size_t each_a, void **b, size_t each_b, int *n_max, struct err *err)
{
    void *more = realloc(*a, (size_t)*n_max * 2 * each_a);
    if (more)
        *a = more;
    void *more_b = more ? realloc(*b, (size_t)*n_max * 2 * each_b) : NULL;
    if (!more_b)
        return err_set(err, ERR_NOMEM, "the router: out of memory");
    *b = more_b;
    *n_max *= 2;
    return true;
}

static int n_experts_of(const struct live *l, int node)
{
    int n = 0;
    for (int i = 0; i < l->world.n; i++)
        n += l->world.list[i].node == node && !l->of[i].is_gone;
    return n;
}

/* The one of that name; else a new one, or one that nobody stands on any more.  -1 with err. */
static int node_place(struct live *l, const struct route_node *node, bool is_member, struct err *err)
{
    int at = 1;
    while (at < l->world.n_nodes && (l->node_of[at].is_member != is_member || strcmp(l->world.nodes[at].name, node->name) != 0))
        at++;
    if (at == LIVE_NODES_MAX)
        for (at = 1; at < LIVE_NODES_MAX && n_experts_of(l, at) > 0;)
            at++;
    if (at == LIVE_NODES_MAX)
        return err_set(err, ERR_LIMIT, "the router: at most %d nodes are possible", LIVE_NODES_MAX), -1;
    if (at == l->n_nodes_max && !grow((void **)&l->world.nodes, sizeof(*l->world.nodes), (void **)&l->node_of, sizeof(*l->node_of), &l->n_nodes_max, err))
        return -1;
    l->world.n_nodes += at == l->world.n_nodes;
    l->world.nodes[at] = *node;
    l->node_of[at] = (struct live_node){ .key = key_of(node->name), .is_member = is_member };
    return at;
}

/* The node that an expert of this process stands on: this machine, or one of its own for a server elsewhere. */
static int node_of(struct live *l, const char *id, enum expert_privacy distance, struct err *err)
{
    if (distance == EXPERT_LOCAL)
        return 0;
    struct route_node n = here;
    snprintf(n.name, sizeof(n.name), "%.63s", id);
    n.distance = distance;
    n.rtt_s = distance == EXPERT_LAN ? LAN_RTT_S : CLOUD_RTT_S;
    n.link_bytes_s = distance == EXPERT_LAN ? LAN_BYTES_S : CLOUD_BYTES_S;
    return node_place(l, &n, false, err);
}

/* Its own that it had, or a new one, or that of whoever went first.  -1 with err. */
static int slot_place(struct live *l, const char *id, int node, bool *is_another, struct err *err)
{
    const int n = l->world.n;
    int first = -1;
    *is_another = false;
    for (int i = 0; i < n; i++) {
        const struct live_expert *le = &l->of[i];
        if (!le->is_gone || le->n_asking > 0)
            continue;
        if (l->world.list[i].node == node && strcmp(l->world.list[i].expert, id) == 0)
            return i;
        if (first < 0 || le->gone_at < l->of[first].gone_at)
            first = i;
    }
    if (n < ROUTE_SLOTS_MAX) {
        if (n == l->n_max && !grow((void **)&l->world.list, sizeof(*l->world.list), (void **)&l->of, sizeof(*l->of), &l->n_max, err))
            return -1;
        memset(&l->of[n], 0, sizeof(l->of[n]));
        l->world.n++;
        return n;
    }
    *is_another = true;
    if (first < 0)
        err_set(err, ERR_LIMIT, "the router: at most %d experts are possible", ROUTE_SLOTS_MAX);
    else
        memset(l->of[first].decisions, 0, sizeof(l->of[first].decisions));
    return first;
}

int live_find(const struct live *l, const struct expert *e)
{
    for (int i = 0; i < l->world.n; i++)
        if (l->of[i].expert == e && !l->of[i].is_gone)
            return i;
    return -1;
}

int live_add(struct live *l, struct expert *e, const struct route_node *node, const struct candidate *hint, bool is_composite, bool *is_another, struct err *err)
{
    struct expert_card card;
    expert_get_card(e, &card);
    const int at = node ? node_place(l, node, true, err) : node_of(l, card.id, is_composite ? EXPERT_LOCAL : card.privacy, err);
    if (at < 0)
        return -1;
    int i = live_find(l, e);
    *is_another = false;
    if (i < 0 && (i = slot_place(l, card.id, at, is_another, err)) < 0)
        return -1;
    struct live_expert *le = &l->of[i];
    le->expert = e;
    le->hint = hint ? *hint : (struct candidate){ 0 };
    le->is_composite = is_composite;
    le->is_member = node != NULL;
    le->is_gone = false;
    le->id_key = key_of(card.id);
    le->kin = 0; /* the same model answers as well elsewhere */
    for (int k = 0; k < i && !le->kin; k++)
        if (l->of[k].id_key == le->id_key && (le->is_member || l->of[k].is_member))
            le->kin = k + 1;
    le->seen = EXPERT_STATE_COUNT;
    le->created_s = card.created_s;
    le->down_ns = 0;
    l->world.list[i] = (struct candidate){ .node = at, .slot = i };
    snprintf(l->world.list[i].expert, sizeof(l->world.list[i].expert), "%s", card.id);
    return i;
}

void live_withdraw(struct live *l, int slot)
{
    struct candidate *c = &l->world.list[slot];
    l->of[slot].is_gone = true;
    l->of[slot].gone_at = ++l->n_gone_ever;
    c->tasks = 0;
    c->is_up = c->is_warm = c->is_home = false;
    c->n_running = c->n_waiting = 0;
}

void live_set_node(struct live *l, const struct route_node *node)
{
    for (int i = 1; i < l->world.n_nodes; i++)
        if (l->node_of[i].is_member && strcmp(l->world.nodes[i].name, node->name) == 0) {
            l->world.nodes[i] = *node;
            return;
        }
}

/* ---- doubts ---- */

void live_doubt(struct live *l, int slot)
{
    struct live_expert *le = &l->of[slot];
    const uint64_t now_ns = clock_ns();
    if (!le->is_member || le->is_gone)
        return;
    if (now_ns < le->doubt_until_ns)
        return; /* jobs that were given to it before */
    if (now_ns - le->doubt_until_ns > LIVE_FORGET_S * (uint64_t)1000000000)
        le->n_doubts = 0;
    le->doubt_until_ns = now_ns + ((uint64_t)LIVE_DOUBT_MS << le->n_doubts) * 1000000;
    le->n_doubts += le->n_doubts < LIVE_DOUBTS_MAX;
    l->doubt_until_ns = le->doubt_until_ns > l->doubt_until_ns ? le->doubt_until_ns : l->doubt_until_ns;
}

/* The same expert on another node, which nothing speaks against. */
static bool has_double(const struct live *l, int slot, uint64_t now_ns)
{
    for (int i = 0; i < l->world.n; i++) {
        const struct live_expert *le = &l->of[i];
        const struct candidate *c = &l->world.list[i];
        if (i != slot && le->id_key == l->of[slot].id_key && !le->is_gone && c->is_up && l->world.nodes[c->node].is_up && now_ns >= le->doubt_until_ns)
            return true;
    }
    return false;
}

bool live_doubts(struct live *l)
{
    const uint64_t now_ns = clock_ns();
    bool any = false;
    if (l->doubt_until_ns == 0)
        return false;
    for (int i = 0; i < l->world.n; i++) {
        struct live_expert *le = &l->of[i];
        le->is_doubted = now_ns < le->doubt_until_ns && has_double(l, i, now_ns);
        any = any || le->is_doubted;
    }
    if (now_ns >= l->doubt_until_ns)
        l->doubt_until_ns = 0; /* the flags are all down */
    return any;
}

/* ---- cards ---- */

static void fill_text(struct live *l, struct candidate *c, const struct expert_card *card)
{
    struct plan_model m = { .bpw = plan_quant_bpw(card->quantization, (double)card->n_params) };
    const uint64_t bytes = card->weight_bytes ? card->weight_bytes : card->file_bytes;
    if (m.bpw <= 0)
        m.bpw = 4.8;
    m.params = card->n_params ? (double)card->n_params : (double)bytes * 8 / m.bpw;
    m.active_params = m.params;
    m.weight_bytes = m.bytes_per_tok = bytes;
    snprintf(m.name, sizeof(m.name), "%.90s", card->id);
    snprintf(m.arch, sizeof(m.arch), "%s", card->architecture);
    snprintf(m.quant, sizeof(m.quant), "%s", card->quantization);
    c->params = m.params;
    c->bits = (float)m.bpw;
    if (c->privacy != EXPERT_LOCAL || bytes == 0) { /* a server: nothing is known but that it is one */
        c->prefill_tok_s = REMOTE_PREFILL_TOK_S;
        c->decode_tok_s = REMOTE_DECODE_TOK_S;
    } else {
        struct plan_speed_query q = plan_speed_query_for(&l->device, &m, "tutti");
        q.work = plan_workload_one(256, 64, 0);
        const struct plan_speed s = plan_speed_predict(&q);
        c->prefill_tok_s = plan_is_known(s.pp_tps) ? (float)s.pp_tps.mid : REMOTE_PREFILL_TOK_S / 10;
        c->decode_tok_s = plan_is_known(s.tg_tps) ? (float)s.tg_tps.mid : REMOTE_DECODE_TOK_S / 4;
    }
    if (c->quality <= 0)
        c->quality = quality_tier(c->params, c->params, c->bits);
}

/* What a hint says wins. */
static void apply_hint(struct candidate *c, const struct candidate *h)
{
#define GIVEN(field)                                                                                                   \
    if (h->field != 0)                                                                                                 \
    c->field = h->field
    GIVEN(tasks);
    GIVEN(quality);
    GIVEN(n_ctx);
    GIVEN(params);
    GIVEN(bits);
    GIVEN(input_px);
    GIVEN(fixed_s);
    GIVEN(prefill_tok_s);
    GIVEN(decode_tok_s);
    GIVEN(item_s);
    GIVEN(sound_s_s);
    GIVEN(load_s);
    GIVEN(usd_per_mtok_in);
    GIVEN(usd_per_mtok_out);
    GIVEN(usd_per_item);
    GIVEN(n_parallel);
    GIVEN(is_accelerated);
    GIVEN(is_measured);
#undef GIVEN
    if (h->kind[0])
        snprintf(c->kind, sizeof(c->kind), "%s", h->kind);
    if (h->busy_w > 0)
        c->busy_w = h->busy_w;
    if (h->privacy > c->privacy)
        c->privacy = h->privacy;
    c->sees = c->sees || h->sees;
    c->hears = c->hears || h->hears;
    c->knows_tools = c->knows_tools || h->knows_tools;
}

static void read_card(struct live *l, int i)
{
    enum { TEXT = EXPERT_CHAT | EXPERT_COMPLETE | EXPERT_EMBED };
    struct live_expert *le = &l->of[i];
    struct candidate *c = &l->world.list[i];
    struct expert_card card;
    expert_get_card(le->expert, &card);
    const int node = c->node;
    *c = (struct candidate){ .node = node, .slot = i, .kin = le->kin, .tasks = card.tasks ? card.tasks : TEXT, .sees = card.sees, .hears = card.hears, .knows_tools = card.knows_tools || !card.tasks,
                             .privacy = card.privacy, .quality = (float)card.quality, .n_ctx = card.n_ctx, .n_parallel = card.n_seq_max > 0 ? card.n_seq_max : 1,
                             .wait_s = (float)NAN, .busy_w = (float)NAN, .is_up = true };
    c->usd_per_mtok_in = card.price.per_mtok_in;
    c->usd_per_mtok_out = card.price.per_mtok_out;
    c->usd_per_item = card.price.per_item;
    snprintf(c->expert, sizeof(c->expert), "%s", card.id);
    c->cls = route_class_of(c->tasks);
    struct task_info info;
    ladder_facts(&card, expert_get_info(le->expert, &info) ? &info : NULL, c);
    c->fixed_s = strcmp(card.kind, "llm") == 0 ? 0.001f : SERVER_FIXED_S;
    le->is_engine = strcmp(card.kind, "llm") == 0 && !le->is_member;
    if (c->tasks & TEXT)
        fill_text(l, c, &card);
    if (c->tasks & ~(unsigned)TEXT)
        c->item_s = PICTURE_S;
    else if (c->tasks & EXPERT_EMBED)
        c->item_s = EMBED_S;
    if (c->tasks & (EXPERT_TRANSCRIBE | EXPERT_SPEAK | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD))
        c->sound_s_s = SOUND_S_S;
    if (c->privacy == EXPERT_LOCAL) {
        const uint64_t bytes = card.weight_bytes ? card.weight_bytes : card.file_bytes;
        c->load_s = START_S + (float)bytes / DISK_BYTES_S;
        c->busy_w = l->device.load_w > 0 ? (float)l->device.load_w : CPU_BUSY_W;
    }
    apply_hint(c, &le->hint);
    if (c->privacy < l->world.nodes[node].distance) /* what is local there is not local here */
        c->privacy = l->world.nodes[node].distance;
    c->cls = route_class_of(c->tasks);
    if (l->ladders)
        ladder_place(l->ladders, &l->world.nodes[c->node], c);
}

/* ---- now ---- */

void live_look(struct live *l)
{
    const uint64_t now_ns = clock_ns();
    for (int i = 0; i < l->world.n; i++) {
        struct live_expert *le = &l->of[i];
        struct candidate *c = &l->world.list[i];
        struct expert_metrics m;
        if (le->is_gone)
            continue;
        expert_get_metrics(le->expert, &m);
        const bool is_awake = m.state == EXPERT_WARM || m.state == EXPERT_BUSY;
        const bool was_awake = le->seen == EXPERT_WARM || le->seen == EXPERT_BUSY;
        if (le->seen == EXPERT_STATE_COUNT || (is_awake && !was_awake)) /* loaded: it knows more of itself now */
            read_card(l, i);
        le->was_unloaded = le->was_unloaded || (was_awake && !is_awake);
        le->seen = m.state;
        if (m.state != EXPERT_DOWN)
            le->down_ns = 0;
        else if (!le->down_ns)
            le->down_ns = now_ns;
        c->is_up = !le->down_ns || (!le->is_member && now_ns - le->down_ns >= LIVE_RETRY_S * (uint64_t)1000000000);
        c->is_warm = is_awake;
        c->n_running = m.n_running;
        c->n_waiting = m.n_waiting;
        c->wait_s = m.wait_s > 0 ? (float)m.wait_s : (float)NAN;
        c->prefix_tok = 0;
        c->is_home = false;
    }
}

/* splitmix64's finalizer (Steele, Lea, Flood 2014): every bit of the session moves every bit of the lot. */
static uint64_t lot_of(uint64_t session, uint64_t node)
{
    uint64_t z = session * 0x9e3779b97f4a7c15u ^ node;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

void live_find_homes(struct live *l, uint64_t session, enum expert_task task)
{
    enum { IDS = 128 };
    struct house { /* the nodes that have one expert */
        uint64_t id_key, lot;
        int slot, n;
        bool is_warm;
    } houses[IDS];
    int n_houses = 0;
    if (!session || l->world.n_nodes < 2)
        return;
    memset(houses, 0, sizeof(houses));
    for (int i = 0; i < l->world.n; i++) {
        const struct live_expert *le = &l->of[i];
        const struct candidate *c = &l->world.list[i];
        if (le->is_gone || le->is_composite || !c->is_up || !l->world.nodes[c->node].is_up || !(c->tasks & (unsigned)task))
            continue;
        unsigned at = (unsigned)(le->id_key % IDS);
        while (houses[at].n && houses[at].id_key != le->id_key)
            at = (at + 1) % IDS;
        struct house *h = &houses[at];
        if (!h->n && n_houses == IDS - 1) /* the rest are at home nowhere */
            continue;
        const uint64_t lot = lot_of(session, l->node_of[c->node].key);
        n_houses += !h->n;
        if (!h->n++ || (c->is_warm && !h->is_warm) || (c->is_warm == h->is_warm && lot > h->lot))
            h->id_key = le->id_key, h->lot = lot, h->slot = i, h->is_warm = c->is_warm;
    }
    for (int k = 0; k < IDS; k++)
        if (houses[k].n > 1) /* one alone is at home anyhow */
            l->world.list[houses[k].slot].is_home = true;
}
