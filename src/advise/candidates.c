/* advise/candidates.c - rows of the catalog as candidates; start reading at recommend_fill(). */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "advise/recommend_internal.h"
#include "plan/speed.h"

enum { CANDIDATES_MAX = 2048, CARDS_MAX = 2 };

static bool has_word(const char *list, const char *word) { return strstr(list, word); }

/* Which line of the table ecosystem a piece of hardware belongs to: a word of its column hardware. */
static const char *family_of(const struct hardware *hw)
{
    const struct catalog_row *chip = hw->chip;
    const char *class = catalog_text(chip, "class"), *kind = catalog_text(chip, "kind"), *arch = catalog_text(chip, "arch"), *name = catalog_name(chip);
    if (strcmp(class, "nvidia") == 0)
        return strcmp(kind, "datacenter") == 0 ? "data centre" : "GeForce";
    if (strcmp(class, "jetson") == 0)
        return "Jetson";
    if (strcmp(class, "apple") == 0)
        return "M series";
    if (strcmp(class, "amd") == 0)
        return has_word(name, "Instinct") ? "Instinct" : strcmp(kind, "integrated") == 0 ? "Ryzen APU" : has_word(arch, "RDNA3") || has_word(arch, "RDNA4") ? "RX 7000" : "RX 6000";
    if (strcmp(class, "intel-gpu") == 0)
        return "Arc";
    if (has_word(name, "Raspberry Pi"))
        return "Pi 4";
    if (has_word(name, "Snapdragon") && strcmp(catalog_name_of(catalog_table_of(hw->row)), "phone") == 0)
        return "Snapdragon phone";
    if (has_word(name, "iPhone"))
        return "iPhone";
    return NULL;
}

int recommend_effort(struct catalog *c, const struct hardware *hw, const char *os)
{
    struct err ignored = { 0 };
    const struct catalog_table *t = catalog_table(c, "ecosystem", &ignored);
    const char *family = family_of(hw);
    int least = 0, on_os = 0; /* on the asked system, else the easiest system that it has */
    for (int i = 0; t && family && i < catalog_n_rows(t); i++) {
        const struct catalog_row *r = catalog_row(t, i);
        if (!has_word(catalog_text(r, "hardware"), family))
            continue;
        const int effort = (int)catalog_number_or(r, "n_effort", 0);
        if (effort > 0 && (!least || effort < least))
            least = effort;
        if (os && strcmp(catalog_text(r, "os"), os) == 0)
            on_os = effort;
    }
    return on_os ? on_os : least;
}

/* With the usual frameworks: PyTorch on CUDA (tensor cores) and ROCm, MLX. */
static bool can_train(const struct hardware *hw, enum plan_train_kind kind)
{
    const char *class = catalog_text(hw->chip, "class"), *arch = catalog_text(hw->chip, "arch");
    if (strcmp(class, "nvidia") == 0) /* GTX 16 is compute 7.5 without tensor cores: seed-errors 001-38 */
        return catalog_number_or(hw->chip, "compute_capability", 0) >= 7 && !has_word(catalog_name(hw->chip), "GTX");
    if (strcmp(class, "amd") == 0)
        return has_word(arch, "RDNA3") || has_word(arch, "RDNA4") || has_word(arch, "CDNA");
    return strcmp(class, "apple") == 0 && kind != PLAN_TRAIN_FULL;
}

/* One candidate: n of this hardware at this price.  False: there is no room left, or no memory. */
static bool add(struct recommend *r, struct catalog *c, const struct hardware *hw, const struct price *price, bool is_stale, int n, bool is_owned, const struct recommend_ask *ask,
                int effort, double cloud_usd_hour, struct err *err)
{
    if (r->n == CANDIDATES_MAX)
        return err_set(err, ERR_LIMIT, "recommend: more than %d candidates", CANDIDATES_MAX);
    const int i = r->n++;
    struct rec_candidate *k = &r->candidates[i];
    struct recommend_item *item = &r->items[i];
    const struct memory_of mem = hardware_memory(c, hw);
    const struct plan_speed speed = hardware_speed(c, hw, &r->model, r->ctx_tok, n);
    const struct watts w = hardware_watts(c, hw);
    const char *kind = catalog_text(hw->chip, "kind"), *cooling = catalog_text(hw->chip, "cooling");
    *item = (struct recommend_item){ .hw = *hw, .price = *price, .is_owned = is_owned };
    enum plan_class cls = PLAN_SOC;
    plan_class_parse(catalog_text(hw->chip, "class"), &cls);
    *k = (struct rec_candidate){
        .name = catalog_name(hw->row),
        .cls = cls,
        .is_machine = hw->is_machine,
        .n = n,
        .card_usd = n * price_mid(price),
        .card_usd_high = n * price->high_usd,
        .is_used = price->kind == PRICE_USED,
        .is_launch_price = price->kind == PRICE_LAUNCH || price->kind == PRICE_LIST,
        .is_stale_price = is_stale,
        .mem_bytes = n * mem.mem_bytes,
        .usable_bytes = n * mem.usable_bytes,
        .need_bytes = hardware_need_bytes(c, hw, &r->model, r->ctx_tok, n),
        .need_q4_bytes = NAN,
        .tg_tps = speed.tg_tps,
        .pp_tps = speed.pp_tps,
        .bw_gbps = catalog_number_or(hw->chip, "mem_bw_gbps", 0),
        .fp16_tflops = catalog_number_or(hw->chip, "fp16_tflops", 0),
        .idle_w = n * w.idle_w,
        .load_w = n * (ask->limits.wants_training ? w.training_w : w.inference_w),
        .max_card_w = w.training_w,
        .slots = catalog_number_or(hw->chip, "n_slots", 0),
        .length_mm = catalog_number_or(hw->chip, "length_mm", 0),
        .has_ecc = catalog_flag(hw->chip, "ecc"),
        .is_for_duty = strcmp(catalog_text(hw->chip, "duty"), "continuous") == 0 || cls == PLAN_JETSON,
        .is_consumer = strcmp(kind, "consumer") == 0,
        .is_server_part = strcmp(cooling, "passive") == 0 || strcmp(cooling, "module") == 0,
        .has_battery = catalog_flag(hw->row, "battery") || strcmp(catalog_name_of(catalog_table_of(hw->row)), "phone") == 0,
        .can_train = can_train(hw, ask->train),
        .effort = effort,
        .cloud_usd_hour = cloud_usd_hour * n,
        .tag = i,
    };
    if (r->model.bpw > 8) {
        struct plan_model q4 = r->model;
        q4.bpw = plan_quant_bpw("Q4_K_M", q4.params);
        plan_model_size(&q4);
        k->need_q4_bytes = hardware_need_bytes(c, hw, &q4, r->ctx_tok, n);
    }
    if (ask->limits.wants_training) {
        const double train = (double)plan_train_memory(&r->model, ask->train, 16, 2048, 1).total_bytes;
        k->need_bytes = ask->limits.wants_inference ? fmax(train, k->need_bytes) : train;
        k->need_q4_bytes = NAN;
    }
    return recommend_system(item, k, c, ask, err);
}

/* A row at every price and number that makes sense. */
static bool add_row(struct recommend *r, struct catalog *c, const struct price_book *book, const struct catalog_row *row, bool is_owned,
                    const struct recommend_ask *ask, struct err *err)
{
    struct hardware hw;
    if (!hardware_of(c, row, &hw, err))
        return false;
    enum plan_class cls;
    if (!plan_class_parse(catalog_text(hw.chip, "class"), &cls) || (ask->dock && hw.is_machine && !is_owned))
        return true; /* not a thing that runs models, or not one for a dock */
    const int effort = recommend_effort(c, &hw, ask->os), cards = hw.is_machine || ask->dock || is_owned ? 1 : CARDS_MAX;
    struct cloud_offer offer;
    const double cloud = price_cloud_usual(book, hw.chip, &offer) ? offer.usd_hour / offer.n_gpus : (double)NAN;
    for (int used = 0; used < 2; used++) {
        struct price p = is_owned ? price_given(0) : price_of(book, row, used);
        if (used && (is_owned || p.kind == PRICE_UNKNOWN))
            continue;
        if (!is_owned && catalog_number(row, "mem_min_gb") < catalog_number(row, "mem_gb")) {
            p = price_launch(row); /* what is sold with several sizes of memory: the largest, at the high end of its own prices */
            if (!(p.high_usd > p.low_usd))
                continue;
            p.low_usd = p.high_usd;
        }
        const bool is_stale = price_is_stale(book, &p);
        if (is_stale && !used && price_of(book, row, true).kind == PRICE_USED)
            continue; /* no longer made: the used price is the one of today */
        for (int n = 1; n <= cards; n++)
            if (!add(r, c, &hw, &p, is_stale, n, is_owned, ask, effort, cloud, err))
                return false;
    }
    return true;
}

static bool is_sold_alone(const struct catalog_row *row, const char *table)
{
    /* Chips are sold in machines (table machine), laptop parts in laptops, server modules in servers; some in China only. */
    if (has_word(catalog_text(row, "note"), "China only"))
        return false;
    if (strcmp(table, "gpu") == 0)
        return strcmp(catalog_text(row, "kind"), "laptop") != 0 && strcmp(catalog_text(row, "kind"), "integrated") != 0 && strcmp(catalog_text(row, "cooling"), "module") != 0;
    return strcmp(catalog_text(row, "class"), "apple") != 0;
}

bool recommend_fill(struct recommend *r, struct catalog *c, const struct price_book *book, const struct recommend_ask *ask, struct err *err)
{
    static const char *const tables[] = { "gpu", "machine", "soc", "phone" };
    r->candidates = arena_alloc(r->arena, CANDIDATES_MAX, sizeof(*r->candidates), err);
    r->items = r->candidates ? arena_alloc(r->arena, CANDIDATES_MAX, sizeof(*r->items), err) : NULL;
    if (!r->items)
        return false;
    for (int i = 0; i < ask->n_owned; i++) {
        struct hardware hw;
        if (!hardware_find(c, ask->owned[i], &hw, err) || !add_row(r, c, book, hw.row, true, ask, err))
            return false;
    }
    for (size_t k = 0; k < sizeof(tables) / sizeof(tables[0]); k++) {
        const struct catalog_table *t = catalog_table(c, tables[k], err);
        if (!t)
            return false;
        for (int i = 0; i < catalog_n_rows(t); i++)
            if (is_sold_alone(catalog_row(t, i), tables[k]) && !add_row(r, c, book, catalog_row(t, i), false, ask, err))
                return false;
    }
    return true;
}
