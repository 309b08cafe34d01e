/* cmd/catalog.c - `tutti catalog`: the tables and their rows (the chooser of runtimes: catalog_runtime.c); start at run(). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cmd/catalog_open.h"
#include "cmd/catalog_runtime.h"
#include "cmd/commands.h"
#include "cmd/out.h"

enum { JSON_BYTES_MAX = 64 << 20, ARGS_MAX = 16 };

/* What a list of rows shows; all the rest is in one row's own page and in --json. */
static const struct {
    const char *table, *columns; /* "column" or "column:title" */
} shown[] = {
    { "accelerator", "name,bus,mem_gb:GB,int8_tops:TOPS,tdp_w:W,launch_price_usd:USD,runs_llm:LLM" },
    { "cloud", "name,n_gpus:GPUs,price_usd_h:USD/h,price_max_usd_h:to,date" },
    { "cpu", "name,n_cores:cores,n_channels:ch,mem_mts:MT/s,mem_bw_gbps:GB/s,fp32_tflops:TF32,tdp_w:W,year" },
    { "dock", "name,link,supply_w:supply W,safe_gpu_w:GPU W,connectors,charge_w:charge W" },
    { "ecosystem", "name,n_effort:effort,runtimes" },
    { "governor", "name,down,up,urgent,path" },
    { "gpu", "name,mem_gb:GB,mem_bw_gbps:GB/s,fp16_tflops:TF16,tdp_w:W,n_slots:slots,launch_price_usd:USD,year" },
    { "interconnect", "name,kind,raw_gbps:raw GB/s,usable_gbps:usable" },
    { "ladder", "class,n_step:step,what,where" },
    { "machine", "name,chip,mem_gb:GB,price_usd:USD,date" },
    { "measured", "hardware,model,quant,test,pp_tps:pp/s,tg_tps:tg/s" },
    { "model", "name,params_b:params B,active_b:active,n_layers:layers,n_embd:width,n_kv_heads:KV,ctx_tok:context,licence" },
    { "network", "name,kind,n_ports:ports,port_gbitps:Gbit/s,power_w:W" },
    { "part", "name,kind,price_usd:USD,price_max_usd:to,date" },
    { "phone", "name,mem_gb:GB,mem_bw_gbps:GB/s,fp16_tflops:TF16,int8_tops:TOPS,year" },
    { "platform", "name,kind,n_channels:ch,mem_mts:MT/s,mem_bw_gbps:GB/s,n_ccds_max:CCDs,fclk_ghz:FCLK,year" },
    { "power_board", "name,idle_w:idle W,stress_w:load W,memcpy_mbps:copy MB/s,hpl_gflops:GFLOPS,year" },
    { "power_card", "name,idle_w:idle W,inference_w:inference W,training_w:training W,date" },
    { "price_electricity", "region,sector,price_per_kwh:per kWh,currency,date" },
    { "price_street", "hardware,condition,price_usd:USD,price_max_usd:to,date" },
    { "protocol", "payload,protocol,p50_us:p50 us,p90_us:p90 us,request_bytes:bytes,date" },
    { "quant", "name,kind,bpw,bpw_1b:1B,bpw_70b:70B,use" },
    { "runtime", "name,precision,threads" },
    { "soc", "name,mem_gb:GB,mem_bw_gbps:GB/s,fp16_tflops:TF16,int8_tops:TOPS,tdp_w:W,launch_price_usd:USD,year" },
};

static bool list_tables(struct catalog *c, bool is_json, struct err *err)
{
    struct out_table o;
    struct buf b;
    bool ok = catalog_check_user_dir(c, err);
    buf_init(&b, JSON_BYTES_MAX);
    out_table_init(&o, (const struct out_column[]){ { "table", OUT_LEFT }, { "rows", OUT_RIGHT }, { "what its rows are", OUT_SHRINK } }, 3);
    buf_puts(&b, "{\"tables\":[");
    for (int i = 0; ok && i < catalog_n_tables(); i++) {
        const struct catalog_table *t = catalog_table(c, catalog_table_name(i), err);
        ok = t != NULL;
        if (!ok)
            break;
        out_row(&o), out_cell(&o, "%s", catalog_table_name(i)), out_cell(&o, "%d", catalog_n_rows(t)), out_cell(&o, "%s", catalog_table_help(i));
        buf_printf(&b, "%s{\"name\":\"%s\",\"rows\":%d,\"help\":", i ? "," : "", catalog_table_name(i), catalog_n_rows(t));
        buf_put_json_text(&b, catalog_table_help(i));
        buf_puts(&b, "}");
    }
    buf_puts(&b, "]}");
    if (ok && is_json)
        ok = cmd_catalog_print(&b, err);
    else {
        ok = ok && out_table_print(&o, stdout, OUT_WIDTH, err);
        buf_fini(&b);
    }
    out_table_fini(&o);
    return ok;
}

/* ---- filters: words, and conditions like mem_gb>=16 */

static bool holds_text(const char *text, const char *word)
{
    const size_t n = strlen(word);
    for (; *text; text++)
        if (strncasecmp(text, word, n) == 0)
            return true;
    return n == 0;
}

/* "column OP value": true when word is one, with *at behind the column's name. */
static bool is_condition(const struct catalog_table *t, const char *word, char column[48], const char **op, const char **value)
{
    const size_t n = strcspn(word, "<>=!");
    if (!word[n] || n == 0 || n >= 48)
        return false;
    snprintf(column, 48, "%.*s", (int)n, word);
    *op = word + n;
    *value = *op + strspn(*op, "<>=!");
    return catalog_find_column(t, column) >= 0;
}

static bool meets(const struct catalog_row *r, const char *column, const char *op, const char *value)
{
    const size_t n = strspn(op, "<>=!");
    int order;
    if (catalog_is_number(column)) {
        const double v = catalog_number(r, column), w = strtod(value, NULL);
        if (isnan(v))
            return false;
        order = v < w ? -1 : v > w;
    } else
        order = strcasecmp(catalog_text(r, column), value);
    if (n == 1)
        return *op == '<' ? order < 0 : *op == '>' ? order > 0 : *op == '=' ? order == 0 : order != 0;
    return op[0] == '<' ? order <= 0 : op[0] == '>' ? order >= 0 : op[0] == '!' ? order != 0 : order == 0;
}

/* Sentences mention other rows; a word of the filter is looked for in what a row is. */
static bool is_prose(const char *column)
{
    static const char *const prose[] = { "source", "form_source", "note", "use", "advice", "correction", "limits" };
    for (size_t i = 0; i < sizeof(prose) / sizeof(prose[0]); i++)
        if (strcmp(column, prose[i]) == 0)
            return true;
    return false;
}

static bool passes(const struct catalog_row *r, int argc, char **argv)
{
    const struct catalog_table *t = catalog_table_of(r);
    for (int a = 0; a < argc; a++) {
        char column[48];
        const char *op, *value;
        if (is_condition(t, argv[a], column, &op, &value)) {
            if (!meets(r, column, op, value))
                return false;
            continue;
        }
        bool found = false;
        for (int i = 0; i < catalog_n_columns(t) && !found; i++)
            found = !is_prose(catalog_column(t, i)) && holds_text(catalog_text(r, catalog_column(t, i)), argv[a]);
        if (!found)
            return false;
    }
    return true;
}

static int compare(const struct catalog_row *x, const struct catalog_row *y, const char *column, bool is_down)
{
    int order;
    if (catalog_is_number(column)) {
        const double v = catalog_number(x, column), w = catalog_number(y, column);
        if (isnan(v) || isnan(w)) /* unknown ones last, either way */
            return isnan(v) - isnan(w);
        order = v < w ? -1 : v > w;
    } else
        order = strcasecmp(catalog_text(x, column), catalog_text(y, column));
    return is_down ? -order : order;
}

/* Stable; a place is found by halves, a table has at most some thousand rows. */
static void sort_rows(const struct catalog_row **rows, int n, const char *column, bool is_down)
{
    for (int i = 1; i < n; i++) {
        const struct catalog_row *row = rows[i];
        int low = 0, high = i;
        while (low < high) {
            const int mid = low + (high - low) / 2;
            if (compare(rows[mid], row, column, is_down) <= 0)
                low = mid + 1;
            else
                high = mid;
        }
        memmove(rows + low + 1, rows + low, (size_t)(i - low) * sizeof(rows[0]));
        rows[low] = row;
    }
}

/* ---- one row, many rows */

static void print_one(const struct catalog_row *r)
{
    const struct catalog_table *t = catalog_table_of(r);
    int width = 0;
    for (int i = 0; i < catalog_n_columns(t); i++)
        if ((int)strlen(catalog_column(t, i)) > width)
            width = (int)strlen(catalog_column(t, i));
    for (int i = 0; i < catalog_n_columns(t); i++) {
        const char *column = catalog_column(t, i), *s = catalog_text(r, column);
        if (!*s)
            continue;
        if (width + 2 + out_text_width(s) <= OUT_WIDTH) {
            printf("%-*s  %s\n", width, column, s);
            continue;
        }
        printf("%s\n", column);
        out_wrap(stdout, 4, OUT_WIDTH, s);
    }
    if (catalog_is_user_row(r))
        printf("%-*s  from your own file\n", width, "(user)");
}

static bool print_rows(const struct catalog_table *t, const struct catalog_row *const *rows, int n, const char *columns, struct err *err)
{
    struct out_table o;
    struct out_column titles[OUT_COLUMNS_MAX];
    const char *names[OUT_COLUMNS_MAX];
    char list[512];
    int n_columns = 0;
    if (!columns)
        for (size_t i = 0; i < sizeof(shown) / sizeof(shown[0]); i++)
            if (strcmp(shown[i].table, catalog_name_of(t)) == 0)
                columns = shown[i].columns;
    if (!columns)
        columns = "name,source,date";
    if ((size_t)snprintf(list, sizeof(list), "%s", columns) >= sizeof(list))
        return err_set(err, ERR_LIMIT, "--columns: too long");
    for (char *save = NULL, *name = strtok_r(list, ",", &save); name; name = strtok_r(NULL, ",", &save)) {
        char *title = strchr(name, ':');
        if (title)
            *title++ = '\0';
        if (catalog_find_column(t, name) < 0) {
            char all[200] = "";
            size_t len = 0;
            for (int i = 0; i < catalog_n_columns(t) && len < sizeof(all); i++)
                len += (size_t)snprintf(all + len, sizeof(all) - len, "%s%s", i ? " " : "", catalog_column(t, i));
            return err_set(err, ERR_INPUT, "no column '%.20s'; there are %s", name, all);
        }
        if (n_columns == OUT_COLUMNS_MAX)
            return err_set(err, ERR_LIMIT, "--columns: at most %d", OUT_COLUMNS_MAX);
        titles[n_columns] = (struct out_column){ title ? title : name, catalog_is_number(name) ? OUT_RIGHT : OUT_SHRINK };
        names[n_columns++] = name;
    }
    out_table_init(&o, titles, n_columns);
    for (int i = 0; i < n; i++) {
        out_row(&o);
        for (int k = 0; k < n_columns; k++)
            out_cell(&o, "%s", catalog_text(rows[i], names[k]));
    }
    const bool ok = out_table_print(&o, stdout, OUT_WIDTH, err);
    out_table_fini(&o);
    return ok;
}

static bool show_table(const struct catalog_table *t, int argc, char **argv, struct cmd_opt *opts, struct err *err)
{
    const struct cmd_opt *sort = cmd_opt_find(opts, "sort"), *columns = cmd_opt_find(opts, "columns");
    const struct catalog_row **rows = calloc((size_t)catalog_n_rows(t) + 1, sizeof(rows[0]));
    struct buf joined;
    int n = 0;
    bool ok = rows || err_set(err, ERR_NOMEM, "catalog: out of memory");
    buf_init(&joined, 4096);
    for (int i = 0; ok && i < catalog_n_rows(t); i++)
        if (passes(catalog_row(t, i), argc, argv))
            rows[n++] = catalog_row(t, i);
    if (ok && !n && argc) { /* perhaps it is a name, written in another way */
        for (int i = 0; i < argc; i++)
            buf_printf(&joined, "%s%s", i ? " " : "", argv[i]);
        if ((ok = buf_ok(&joined, "filter", err))) {
            n = catalog_find_all(t, joined.data, rows, catalog_n_rows(t));
            ok = n > 0 || catalog_find(t, joined.data, err);
        }
    }
    if (ok && sort->given) {
        const bool is_down = sort->s[0] == '-';
        const char *column = sort->s + is_down;
        ok = catalog_find_column(t, column) >= 0 || err_set(err, ERR_INPUT, "--sort: table %s has no column '%s'", catalog_name_of(t), column);
        if (ok)
            sort_rows(rows, n, column, is_down);
    }
    if (ok && cmd_opt_find(opts, "json")->given) {
        struct buf b;
        buf_init(&b, JSON_BYTES_MAX);
        buf_printf(&b, "{\"table\":\"%s\",\"rows\":[", catalog_name_of(t));
        for (int i = 0; i < n; i++)
            buf_puts(&b, i ? "," : ""), cmd_catalog_put_row(&b, rows[i]);
        buf_puts(&b, "]}");
        ok = cmd_catalog_print(&b, err);
    } else if (ok && n == 1 && !columns->given)
        print_one(rows[0]);
    else if (ok)
        ok = print_rows(t, rows, n, columns->given ? columns->s : NULL, err);
    buf_fini(&joined);
    free(rows);
    return ok;
}

static int usage(const char *what)
{
    fprintf(stderr, "tutti: %s; see `tutti catalog --help`\n", what);
    return 2;
}

static int run(int argc, char **argv, struct cmd_opt *opts)
{
    struct err err = { 0 };
    const bool wants_choice = cmd_opt_find(opts, "for")->given;
    const struct cmd_opt *task = cmd_opt_find(opts, "task");
    if (wants_choice && (argc != 1 || strcmp(argv[0], "runtime") != 0))
        return usage("--for HARDWARE goes with `tutti catalog runtime`");
    if (!wants_choice && (task->given || cmd_opt_find(opts, "command")->given || cmd_opt_find(opts, "model")->given))
        return usage("--task, --model and --command go with --for HARDWARE");
    if (task->given && strcmp(task->s, "llm") != 0 && strcmp(task->s, "vision") != 0 && strcmp(task->s, "stt") != 0 && strcmp(task->s, "tts") != 0)
        return usage("--task: one of llm, vision, stt, tts");
    struct catalog *c = cmd_catalog_open(opts, &err);
    const struct catalog_table *t = c && argc ? catalog_table(c, argv[0], &err) : NULL;
    bool ok = false;
    if (c && !argc)
        ok = list_tables(c, cmd_opt_find(opts, "json")->given, &err);
    else if (t && wants_choice)
        ok = cmd_catalog_choose(c, t, opts, &err);
    else if (t)
        ok = show_table(t, argc - 1, argv + 1, opts, &err);
    catalog_free(c);
    return ok ? 0 : cmd_fail(&err);
}

static struct cmd_opt opts[] = {
    { .name = "sort", .kind = OPT_TEXT, .value = "COLUMN", .help = "sort by a column, -COLUMN downwards; unknown last" },
    { .name = "columns", .kind = OPT_TEXT, .value = "A,B,...", .help = "the columns to show" },
    { .name = "for", .kind = OPT_TEXT, .value = "HARDWARE", .help = "with runtime: which one to take on HARDWARE (or here)" },
    { .name = "task", .kind = OPT_TEXT, .value = "TASK", .help = "llm (default), vision, stt or tts" },
    { .name = "model", .kind = OPT_TEXT, .value = "MODEL", .help = "the model for the launch line; its size chooses too" },
    { .name = "mem", .kind = OPT_FLOAT, .value = "GB", .min = 0.1, .max = 1e6, .help = "memory of HARDWARE when it comes in sizes" },
    { .name = "os", .kind = OPT_TEXT, .value = "NAME", .help = "linux, windows, macos, android (default: the usual one)" },
    { .name = "port", .kind = OPT_INT, .value = "N", .min = 1, .max = 65535, .i = 8080, .help = "port in the launch line (default 8080)" },
    { .name = "command", .kind = OPT_FLAG, .help = "print the launch line alone" },
    { .name = "json", .kind = OPT_FLAG, .help = "print JSON" },
    CMD_OPT_CATALOG,
    { 0 },
};
const struct cmd cmd_catalog = {
    .name = "catalog",
    .args = "[TABLE [FILTER...]]",
    .max_args = ARGS_MAX,
    .help = "facts on hardware, models, runtimes, prices; source and date",
    .more = "\nWithout TABLE: the tables. FILTER is a word that a row must hold, or a condition\n"
            "on a column: tutti catalog gpu nvidia 'mem_gb>=16' 'tdp_w<=140' --sort n_slots\n"
            "One row alone is shown with all its columns, its source and its date.\n\n"
            "tutti catalog runtime --for HARDWARE --task llm|vision|stt|tts [--command] says\n"
            "which runtime to take there, with precision, batch, context, threads and the\n"
            "line that starts it. Rows of your own: $XDG_CONFIG_HOME/tutti/catalog/TABLE.csv\n",
    .opts = opts,
    .run = run,
};
