/* route/live.c - see live.h; start reading at live_look(). */
#include "route/live.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
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

void live_init(struct live *l, const struct plan_device *device)
{
    memset(l, 0, sizeof(*l));
    static const struct plan_device small = { .cls = PLAN_CPU, .n_devices = 1, .is_unified = true, .bw_gbps = 30, .fp32_tflops = 0.3, .cores = 4, .load_w = CPU_BUSY_W };
    l->device = device ? *device : small;
    if (!(l->device.bw_gbps > 0)) /* a virtual machine does not say what its memory is */
        l->device.bw_gbps = small.bw_gbps;
    if (!(l->device.fp32_tflops > 0))
        l->device.fp32_tflops = small.fp32_tflops;
    l->world = (struct candidates){ .nodes = l->nodes, .n_nodes = 1, .list = l->list };
    l->nodes[0] = (struct route_node){ .distance = EXPERT_LOCAL, .is_up = true, .link_bytes_s = INFINITY, .idle_w = (float)NAN, .usd_per_kwh = (float)NAN,
                                       .temperature_c = (float)NAN, .headroom_c = (float)NAN, .power_w = (float)NAN, .battery_frac = (float)NAN,
                                       .memory_free_bytes = (float)NAN, .pressure_frac = (float)NAN, .busy_frac = (float)NAN };
    snprintf(l->nodes[0].name, sizeof(l->nodes[0].name), "local");
}

/* The node that an expert stands on: this machine, or one of its own for a server elsewhere. */
static int node_of(struct live *l, const char *id, enum expert_privacy distance)
{
    if (distance == EXPERT_LOCAL)
        return 0;
    if (l->world.n_nodes == ROUTE_NODES_MAX) /* then the last one of that distance is shared */
        for (int i = ROUTE_NODES_MAX - 1; i > 0; i--)
            if (l->nodes[i].distance >= distance)
                return i;
    if (l->world.n_nodes == ROUTE_NODES_MAX)
        return ROUTE_NODES_MAX - 1;
    struct route_node *n = &l->nodes[l->world.n_nodes];
    *n = l->nodes[0];
    snprintf(n->name, sizeof(n->name), "%.63s", id);
    n->distance = distance;
    n->rtt_s = distance == EXPERT_LAN ? LAN_RTT_S : CLOUD_RTT_S;
    n->link_bytes_s = distance == EXPERT_LAN ? LAN_BYTES_S : CLOUD_BYTES_S;
    return l->world.n_nodes++;
}

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
#undef GIVEN
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
    struct candidate *c = &l->list[i];
    struct expert_card card;
    expert_get_card(le->expert, &card);
    const int node = c->node;
    *c = (struct candidate){ .node = node, .slot = i, .tasks = card.tasks ? card.tasks : TEXT, .sees = card.sees, .hears = card.hears, .knows_tools = card.knows_tools || !card.tasks,
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
    le->is_engine = strcmp(card.kind, "llm") == 0;
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
    c->cls = route_class_of(c->tasks);
    if (l->ladders)
        ladder_place(l->ladders, &l->nodes[c->node], c);
}

bool live_add(struct live *l, struct expert *e, const struct candidate *hint, bool is_composite, struct err *err)
{
    const int i = l->world.n;
    if (i == ROUTE_CANDIDATES_MAX)
        return err_set(err, ERR_LIMIT, "the router: at most %d experts are possible", ROUTE_CANDIDATES_MAX);
    struct expert_card card;
    expert_get_card(e, &card);
    l->of[i] = (struct live_expert){ .expert = e, .is_composite = is_composite, .seen = EXPERT_STATE_COUNT, .created_s = card.created_s };
    if (hint)
        l->of[i].hint = *hint;
    l->list[i].node = node_of(l, card.id, is_composite ? EXPERT_LOCAL : card.privacy);
    l->world.n++;
    return true;
}

void live_look(struct live *l)
{
    const uint64_t now_ns = clock_ns();
    for (int i = 0; i < l->world.n; i++) {
        struct live_expert *le = &l->of[i];
        struct candidate *c = &l->list[i];
        struct expert_metrics m;
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
        c->is_up = !le->down_ns || now_ns - le->down_ns >= LIVE_RETRY_S * (uint64_t)1000000000;
        c->is_warm = is_awake;
        c->n_running = m.n_running;
        c->n_waiting = m.n_waiting;
        c->prefix_tok = 0;
    }
}
