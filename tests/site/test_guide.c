/* tests/site/test_guide.c - the setup guide: every row of its table, what an inventory gets and does not get, names that mean harm. */
#include "test.h"

#include <string.h>

#include "advise/doctor.h"
#include "base/buf.h"
#include "site/guide.h"

static struct catalog *catalog;
static struct inventory *parse(const char *text)
{
    struct err err = { 0 };
    if (!catalog)
        catalog = catalog_new(NULL, &err);
    struct inventory *inv = catalog ? inventory_parse("i.yaml", text, strlen(text), "", catalog, &err) : NULL;
    CHECK(inv, "%s", err.text);
    return inv;
}

#define HOME                                                                                                                                         \
    "name: home\nnetwork: {switch: Netgear GS108, subnet: 192.168.1.0/24, gateway: 192.168.1.1}\nnodes:\n"                                              \
    "  - {name: head, machine: \"Beelink GTi14,mts=5600\", memory: 32 GB, address: 192.168.1.10, head: true}\n"                                         \
    "  - {name: jet, machine: Jetson Orin Nano Super 8GB, address: 192.168.1.12}\n"                                                                     \
    "  - {name: pi5, machine: Raspberry Pi 5 8GB, accelerators: [Coral USB Accelerator], address: 192.168.1.13}\n"                                      \
    "  - {name: pi4, machine: Raspberry Pi 4 8GB, accelerators: [Intel Neural Compute Stick 2], address: 192.168.1.14}\n"
#define EXPERTS "experts:\n  - {name: chat, task: chat, model: Qwen2.5 1.5B}\n"

static struct guide *guide_of(struct inventory *inv)
{
    struct err err = { 0 };
    struct guide *g = inv ? guide_make(inv, "my home.yaml", catalog, &err) : NULL;
    CHECK(g, "%s", err.text);
    return g;
}

static const struct guide_item *item(const struct guide *g, const char *id, int nth)
{
    for (int i = 0; i < g->n_items; i++)
        if (strcmp(g->items[i].step->id, id) == 0 && nth-- == 0)
            return &g->items[i];
    return NULL;
}

static const char *const words[] = { "node", "address", "cidr", "gateway", "mac", "arch", "node_ip", "head", "head_at", "cluster", "namespace", "subnet", "file", "nodes", "pairs", "models", "switch_gbit", "n_k3s", "n_workers", "image", "platforms" };

/* Names of the inventory in a command: known ones, and never inside quotes, where their own quotes would not hold. */
static void check_names(const struct guide_step *s, const char *text, bool is_command)
{
    char quote = 0;
    for (const char *p = text; *p; p++) {
        if (is_command && quote != '"' && *p == '\'')
            quote = quote == '\'' ? 0 : '\'';
        else if (is_command && quote != '\'' && *p == '"')
            quote = quote == '"' ? 0 : '"';
        else if (is_command && quote != '\'' && *p == '\\' && p[1])
            p++;
        else if (*p == '#' && p[-(p > text)] == ' ' && !quote)
            p += strcspn(p, "\n") - 1;
        const size_t n = *p == '{' ? strspn(p + 1, "abcdefghijklmnopqrstuvwxyz0123456789_") : 0;
        if (n == 0 || p[1 + n] != '}')
            continue;
        bool is_known = false;
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
            is_known |= strlen(words[i]) == n && strncmp(words[i], p + 1, n) == 0;
        CHECK(is_known, "%s: {%.*s} is no name", s->id, (int)n, p + 1);
        CHECK(!is_command || !quote, "%s: {%.*s} stands inside quotes", s->id, (int)n, p + 1);
    }
    CHECK(!quote, "%s: a quote is not closed: %s", s->id, text);
}

TEST(every_row_of_the_table_is_whole_and_its_names_stand_outside_quotes)
{
    int phase = 0;
    for (int i = 0; i < guide_n_steps; i++) {
        const struct guide_step *s = &guide_steps[i];
        CHECK(s->id[0] && s->title[0] && s->date[0] == '2' && strlen(s->date) == 10, "%s", s->id);
        CHECK((s->why[0] || s->check[0]) && (s->command[0] || s->why[0]) && (!s->check[0] || s->says[0]), "%s says too little", s->id);
        CHECK((int)s->phase >= phase, "%s is out of order", s->id);
        CHECK((s->source[0] || !s->command[0]) && !(s->all & s->none), "%s", s->id);
        phase = (int)s->phase;
        check_names(s, s->command, true), check_names(s, s->check, true);
        check_names(s, s->why, false), check_names(s, s->says, false), check_names(s, s->wrong, false), check_names(s, s->title, false);
        for (int k = 0; k < i; k++)
            CHECK(strcmp(guide_steps[k].id, s->id) != 0, "%s is there twice", s->id);
    }
    for (int i = 0; i < guide_n_options; i++)
        CHECK(guide_options[i].source[0] && strlen(guide_options[i].date) == 10 && (int)guide_options[i].group >= (i ? (int)guide_options[i - 1].group : 0), "%s", guide_options[i].name);
}

TEST(an_inventory_gets_the_steps_of_what_it_has)
{
    static const char *const there[] = { "bios-gti14", "pi-eeprom", "pi5-nvme", "os-jetson", "pi-cgroups", "address-nm", "coral-usb", "ncs2", "jetson-toolkit", "jetson-netfilter", "k3s-server", "k3s-token", "k3s-agent",
                                         "jetson-plugin", "manifests", "monitor-k3s", "doctor", "status-k3s", "image", "keys", "join-secret", "models-folder" };
    static const char *const not_there[] = { "coral-pcie", "coral-pcie-pi5", "hailo", "nvidia-plugin", "nvidia-toolkit", "amd", "laptop-awake", "wake", "wifi", "join", "cluster-init", "serve", "monitor-list", "address-reserve", "k3s-mac" };
    struct inventory *inv = parse(HOME EXPERTS);
    struct guide *g = guide_of(inv);
    REQUIRE(g);
    for (size_t i = 0; i < sizeof(there) / sizeof(there[0]); i++)
        CHECK(item(g, there[i], 0), "%s is missing", there[i]);
    for (size_t i = 0; i < sizeof(not_there) / sizeof(not_there[0]); i++)
        CHECK(!item(g, not_there[i], 0), "%s is there", not_there[i]);
    const struct guide_item *server = item(g, "k3s-server", 0), *agent = item(g, "k3s-agent", 1), *sticks = item(g, "device-plugin", 0), *plan = item(g, "plan", 0);
    REQUIRE(server && agent && sticks && plan);
    CHECK(!strcmp(server->command, "curl -sfL https://get.k3s.io | sh -s - server --node-name head --tls-san 192.168.1.10 --node-ip 192.168.1.10"), "%s", server->command);
    CHECK(strstr(agent->command, "K3S_URL=https://192.168.1.10:6443 sh -s - agent --node-name pi5 --node-ip 192.168.1.13"), "%s", agent->command);
    CHECK(strstr(sticks->command, "nodes pi5 pi4 |") && !strcmp(sticks->on, "head (192.168.1.10)"), "%s", sticks->command);
    CHECK(!strcmp(plan->command, "tutti cluster plan 'my home.yaml'"), "%s", plan->command);
    CHECK(!item(g, "k3s-agent", 3) && item(g, "k3s-agent", 2), "one for each worker");
    CHECK(strstr(item(g, "image", 0)->command, "--platform linux/amd64,linux/arm64 --target full --manifest registry.lan:5000/tutti:"), "%s", item(g, "image", 0)->command);
    guide_free(g);
    inventory_free(inv);
}

TEST(a_plain_list_gets_no_step_of_k3s_and_a_single_board_no_cluster)
{
    struct inventory *inv = parse("engine: list\n" HOME EXPERTS), *one = parse("engine: list\nnodes:\n  - {name: p, machine: Raspberry Pi 5 8GB}\n");
    struct guide *g = guide_of(inv), *h = guide_of(one);
    REQUIRE(g && h);
    for (int i = 0; i < g->n_items; i++) {
        CHECK(g->items[i].step->phase != GUIDE_PHASE_K3S && !strstr(g->items[i].command, "k3s") && !strstr(g->items[i].command, "helm"), "%s", g->items[i].step->id);
        CHECK(strcmp(g->items[i].step->id, "manifests") != 0);
    }
    CHECK(strstr(item(g, "list-config", 2)->command, "pi5/tutti.service /etc/systemd/system/") && item(g, "fetch", 0) && !item(h, "fetch", 0));
    CHECK(item(g, "join", 2) && item(g, "cluster-init", 0) && item(g, "serve", 0) && item(g, "monitor-list", 0));
    CHECK(!item(h, "join", 0) && !item(h, "cluster-init", 0) && !item(h, "hostname", 0) && !item(h, "address-reserve", 0) && item(h, "serve-head", 0) && !item(h, "serve", 0) && item(h, "pi-eeprom", 0));
    CHECK(!strcmp(g->choices[GUIDE_GROUP_ORCHESTRATOR].chosen[0]->name, "plain list") && !strcmp(h->choices[GUIDE_GROUP_CONTAINERS].chosen[0]->name, "none"));
    guide_free(g), guide_free(h);
    inventory_free(inv), inventory_free(one);
}

TEST(the_choice_is_computed_from_the_inventory)
{
    struct inventory *a = parse(HOME EXPERTS), *b = parse("engine: k3s\nnodes:\n  - {name: p, machine: Raspberry Pi 5 8GB}\n" EXPERTS);
    struct guide *g = guide_of(a), *h = guide_of(b);
    REQUIRE(g && h);
    const struct guide_choice *x = &g->choices[GUIDE_GROUP_ORCHESTRATOR], *y = &h->choices[GUIDE_GROUP_ORCHESTRATOR];
    bool counts = false, warns = false, finds = false;
    for (int i = 0; i < x->n_reasons; i++)
        counts |= strstr(x->reasons[i], "2 sticks and 1 NVIDIA GPU") != NULL, warns |= strstr(x->reasons[i], "These rules alone") != NULL;
    CHECK(counts && !warns);
    for (int i = 0; i < y->n_reasons; i++)
        finds |= strstr(y->reasons[i], "These rules alone would take the plain list") != NULL;
    CHECK(finds, "one board needs no Kubernetes");
    const struct guide_choice *engines = &g->choices[GUIDE_GROUP_ENGINES];
    bool has_llama = false;
    for (int i = 0; i < engines->n_chosen; i++)
        has_llama |= !strcmp(engines->chosen[i]->name, "llama.cpp") && !strcmp(engines->role[i], "jet");
    CHECK(has_llama && h->choices[GUIDE_GROUP_ENGINES].n_chosen == 1);
    guide_free(g), guide_free(h);
    inventory_free(a), inventory_free(b);
}

/* ../shared/reference/seed-errors.md: what the seeds advised and is wrong, and the words of the correction. */
TEST(wrong_advice_of_the_seeds_is_not_given_and_is_corrected)
{
    static const struct { const char *error, *step /* "": all */, *never /* in a command */, *instead; } rows[] = {
        { "000-01", "coral-usb", "apex", "no device node for the stick" },
        { "000-01", "device-plugin", "apex", "the place where it is plugged in" },
        { "000-02", "ncs2", "apt install -y openvino", "2022.3 is the last release line" },
        { "000-02", "ncs2", "ATTRS{idProduct}", "03e7:f63b" },
        { "000-03", "ncs2", "4 TOPS", "the neural engine has 1" },
        { "000-04", "jetson-power", "40 TOPS", "67 sparse" },
        { "000-05", "os-jetson", "20.04", "JetPack 5 is Ubuntu 20.04 with 5.10" },
        { "000-06", "k3s-server", "512", "1.6 GB" },
        { "000-07", "k3s-server", "podman", "no CRI" },
        { "000-07", "", "container-runtime-endpoint", "" },
        { "000-07", "", "podman.sock", "" },
        { "000-08", "pi5-nvme", "pciex1_gen", "not certified" },
        { "000-09", "pi5-nvme", "rpi-eeprom-update -a", "BOOT_ORDER" },
        { "000-09", "pi5-nvme", "pciex1_gen", "PCIE_PROBE" },
        { "000-11", "os-pi", "Raspbian", "Debian GNU/Linux" },
        { "000-13", "jetson-plugin", "dcgm", "exports no metrics" },
        { "000-14", "jetson-plugin", "/etc/containerd", "class nvidia" },
        { "000-14", "jetson-plugin", "set-as-default", "deviceDiscoveryStrategy=tegra" },
        { "000-15", "jetson-toolkit", "/etc/containerd", "nothing is to be edited" },
        { "000-15", "", "/etc/containerd/config.toml", "" },
        { "000-17", "intel", "32 TOPS", "do not add up" },
        { "part I", "os-pc", "22.04", "6.8" },
        { "table 3", "", "7-10 times", "" },
    };
    struct inventory *inv = parse(HOME EXPERTS);
    struct guide *g = guide_of(inv);
    REQUIRE(g);
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        bool is_corrected = !rows[r].instead[0], is_there = !rows[r].step[0];
        for (int i = 0; i < g->n_items; i++) {
            const struct guide_item *it = &g->items[i];
            if (rows[r].step[0] && strcmp(it->step->id, rows[r].step) != 0)
                continue;
            is_there = true;
            CHECK(!strstr(it->command, rows[r].never) && !strstr(it->check, rows[r].never), "%s: %s advises '%s'", rows[r].error, it->step->id, rows[r].never);
            is_corrected |= strstr(it->why, rows[r].instead) || strstr(it->says, rows[r].instead) || strstr(it->wrong, rows[r].instead) || strstr(it->command, rows[r].instead);
        }
        CHECK(is_there && is_corrected, "%s: %s lacks '%s'", rows[r].error, rows[r].step, rows[r].instead);
    }
    guide_free(g);
    inventory_free(inv);
}

static bool sh_reads(const struct guide *g)
{
    const char *path = test_tmp("commands.sh");
    char command[512];
    FILE *f = fopen(path, "w");
    for (int i = 0; f && i < g->n_items; i++)
        fprintf(f, "%s\n%s\n", g->items[i].command, g->items[i].check);
    if (!f || fclose(f) != 0)
        return false;
    snprintf(command, sizeof(command), "sh -n '%s'", path);
    return system(command) == 0;
}

/* A file is not to be trusted: whatever its names hold, a command is one command, and a page has no element of theirs. */
TEST(names_that_mean_harm_stay_names)
{
    static char evil[] = "x'; touch /tmp/tutti-pwned; echo \"$(reboot)`id`\"<img src=x onerror=alert(1)>\x1b[2J\n&|>";
    struct inventory *inv = parse(HOME EXPERTS);
    struct buf html, text, json;
    REQUIRE(inv);
    for (int i = 0; i < inv->n_nodes; i++) {
        snprintf(inv->nodes[i].name, sizeof(inv->nodes[i].name), "%.50s%d", i & 1 ? evil : evil + 30, i % 100);
        inv->nodes[i].address = i == 1 ? "1.2.3.4; reboot" : i == 2 ? "--help" : inv->nodes[i].address;
    }
    inv->name = inv->namespace_ = inv->domain = evil, inv->wants[0].url = evil, inv->wants[0].file = evil;
    inv->gateway = "$(reboot)";
    struct err err = { 0 };
    struct guide *g = guide_make(inv, evil, catalog, &err);
    REQUIRE(g, "%s", err.text);
    CHECK(sh_reads(g), "a command is no shell");
    for (int i = 0; i < g->n_items; i++) {
        CHECK(!strstr(g->items[i].command, "; reboot") && !strstr(g->items[i].command, "--node-ip -") && !strchr(g->items[i].command, 0x1b), "%s", g->items[i].command);
        CHECK(!strstr(g->items[i].step->id, "address-n"), "no gateway, no address step");
    }
    buf_init(&html, 64 << 20), buf_init(&text, 64 << 20), buf_init(&json, 64 << 20);
    guide_put_html(g, -1, &html), guide_put_text(g, -1, &text), guide_put_json(g, -1, &json);
    REQUIRE(!html.failed && !text.failed && !json.failed);
    CHECK(!strstr(html.data, "<img") && strstr(html.data, "&lt;img") && !strchr(html.data, 0x1b) && !strchr(text.data, 0x1b) && !strchr(json.data, 0x1b));
    buf_fini(&html), buf_fini(&text), buf_fini(&json);
    /* the shell itself judges: what stands for a name is the name */
    const struct guide_item *it = item(g, "hostname", 1);
    REQUIRE(it);
    char script[2048];
    snprintf(script, sizeof(script), "[ %s = x ]; cd /nowhere 2>/dev/null; set -- %s; [ $# -eq 4 ]", "x", it->command);
    const char *path = test_tmp("one.sh");
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs(script, f), fclose(f);
    snprintf(script, sizeof(script), "sh '%s'", path);
    CHECK(system(script) == 0, "the name is more than one word: %s", it->command);
    guide_free(g);
    inventory_free(inv);
}

TEST(every_command_of_every_step_is_shell)
{
    struct inventory *inv = parse("network: {subnet: 10.0.0.0/16, gateway: 10.0.0.1}\nnodes:\n  - {name: h, machine: \"epyc 9354\", memory: 256 GB, gpus: [rtx 4090], address: 10.0.0.2, head: true, os: ubuntu}\n"
                                  "  - {name: d, machine: \"ryzen 9950x\", memory: 64 GB, address: 10.0.0.3, os: debian, wake: \"aa:bb:cc:dd:ee:ff\"}\n"
                                  "  - {name: c, machine: Raspberry Pi 5 8GB, accelerators: [Coral M.2 Accelerator], address: 10.0.0.4, wifi: true}\n" EXPERTS);
    REQUIRE(inv);
    struct guide *g = guide_of(inv);
    REQUIRE(g);
    CHECK(sh_reads(g));
    CHECK(item(g, "nvidia-plugin", 0) && item(g, "nvidia-toolkit", 0) && item(g, "nvidia-ubuntu", 0) && !item(g, "nvidia-debian", 0) && item(g, "wake", 0) && item(g, "wifi", 0) && item(g, "coral-pcie", 0) &&
          item(g, "coral-pcie-pi5", 0) && !item(g, "coral-usb", 0) && item(g, "address-netplan", 0) && item(g, "address-ifupdown", 0) && item(g, "address-nm", 0) && !item(g, "address-nm", 1));
    CHECK(strstr(item(g, "address-netplan", 0)->command, "addresses='['10.0.0.2/16']'"), "%s", item(g, "address-netplan", 0)->command);
    guide_free(g);
    inventory_free(inv);
}

/* "`tutti doctor`: jetpack-mismatch, jetson-generic-linux." */
TEST(rules_of_doctor_that_steps_name_are_there)
{
    int n_named = 0;
    for (int i = 0; i < guide_n_steps; i++)
        for (const char *s = strstr(guide_steps[i].wrong, "`tutti doctor`: "); s && *s && *s != '.';) {
            s += *s == '`' ? strlen("`tutti doctor`: ") : strspn(s, ", ");
            const size_t n = strcspn(s, ",.");
            bool is_there = false;
            for (int k = 0; k < doctor_n_rules; k++)
                is_there |= strlen(doctor_rules[k].id) == n && strncmp(doctor_rules[k].id, s, n) == 0;
            CHECK(is_there, "%s names %.*s", guide_steps[i].id, (int)n, s);
            s += n, n_named++;
        }
    CHECK(n_named > 8, "%d", n_named);
}

TEST(text_is_at_most_80_columns_wide_commands_excepted)
{
    struct inventory *inv = parse(HOME EXPERTS);
    struct guide *g = guide_of(inv);
    struct buf out;
    REQUIRE(g);
    for (int node = -1; node < inv->n_nodes; node++) {
        buf_init(&out, 8 << 20);
        guide_put_text(g, node, &out);
        REQUIRE(!out.failed);
        for (char *s = out.data, *end; *s; s = end + 1) {
            end = strchr(s, '\n');
            REQUIRE(end);
            *end = 0;
            int wide = 0;
            for (const char *c = s; *c; c++)
                wide += ((unsigned char)*c & 0xc0) != 0x80;
            CHECK(wide <= 80 || strncmp(s, "      $ ", 8) == 0, "%d: %s", wide, s);
        }
        buf_fini(&out);
    }
    guide_free(g);
    inventory_free(inv);
}

TEST(a_node_sees_only_its_own_steps)
{
    struct inventory *inv = parse(HOME EXPERTS);
    struct guide *g = guide_of(inv);
    struct buf out;
    REQUIRE(g);
    buf_init(&out, 8 << 20);
    guide_put_text(g, inventory_find_node(inv, "pi4"), &out);
    REQUIRE(!out.failed);
    CHECK(strstr(out.data, "Neural Compute Stick 2: the rule") && strstr(out.data, "--node-name pi4") && !strstr(out.data, "--node-name pi5") && !strstr(out.data, "JetPack 6.2 is") && !strstr(out.data, "Coral USB: the"));
    buf_fini(&out);
    guide_free(g);
    inventory_free(inv);
}

TEST(a_thousand_nodes_have_a_guide)
{
    struct inventory *inv = parse("network: {subnet: 10.0.0.0/16, gateway: 10.0.0.1}\nnodes:\n  - {name: h, machine: \"epyc 9354\", memory: 256 GB, head: true, address: 10.0.0.2}\n"
                                  "  - {name: w, count: 999, machine: Raspberry Pi 4 4GB}\n" EXPERTS);
    REQUIRE(inv);
    struct guide *g = guide_of(inv);
    struct buf out;
    REQUIRE(g);
    CHECK(!item(g, "hosts", 0), "a file of hosts for a thousand");
    buf_init(&out, 256 << 20);
    guide_put_html(g, -1, &out);
    CHECK(!out.failed && out.len > 1 << 20, "%zu", out.len);
    buf_fini(&out);
    guide_free(g);
    inventory_free(inv);
}
