/* plan/speed_tags.c - what the name of a device says: architecture, form, instruction set, host.
 *
 * Names are as vendors write them ("Core i7-1185G7", "GeForce RTX 4070 Laptop", "EPYC 9354").  A name that no
 * rule knows gives empty tags: its class alone is then what speaks for it.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "plan/speed_internal.h"

static void set(char tag[SPEED_TAG_BYTES], const char *text) { snprintf(tag, SPEED_TAG_BYTES, "%s", text); }

/* `part` as whole words in `name`; any case. */
static const char *find_word(const char *name, const char *part)
{
    const size_t n = strlen(part);
    for (const char *p = name; *p; p++) {
        size_t i = 0;
        while (i < n && p[i] && tolower((unsigned char)p[i]) == tolower((unsigned char)part[i]))
            i++;
        if (i == n && (p == name || !isalnum((unsigned char)p[-1]) || !isalnum((unsigned char)part[0])) &&
            (!isalnum((unsigned char)p[n]) || !isalnum((unsigned char)part[n - 1])))
            return p;
    }
    return NULL;
}
static bool has_word(const char *name, const char *part) { return find_word(name, part) != NULL; }

void plan_device_base_name(char *out, size_t out_bytes, const char *device)
{
    const char *p = device;
    while (isdigit((unsigned char)*p))
        p++;
    p = p > device && p[0] == 'x' && p[1] == ' ' ? p + 2 : device;
    const char *end = strstr(p, " [host");
    const size_t n = end ? (size_t)(end - p) : strlen(p);
    snprintf(out, out_bytes, "%.*s", (int)(n < 200 ? n : 200), p);
}

/* First number of `least` digits or more; its suffix letters follow.  0: none. */
static int number_in(const char *name, int least, const char **suffix)
{
    for (const char *p = name; *p; p++)
        if (isdigit((unsigned char)*p)) {
            int n = 0, value = 0;
            for (; isdigit((unsigned char)p[n]) && n < 6; n++)
                value = value * 10 + (p[n] - '0');
            if (n >= least) {
                *suffix = p + n;
                return value;
            }
            p += n - 1;
        }
    *suffix = "";
    return 0;
}

struct rule {
    const char *word, *arch;
};
static bool first_rule(char arch[SPEED_TAG_BYTES], const struct rule *r, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (has_word(name, r[i].word)) {
            set(arch, r[i].arch);
            return true;
        }
    return false;
}
#define FIRST_RULE(arch, rules, name) first_rule(arch, rules, sizeof(rules) / sizeof(rules[0]), name)

static void nvidia(struct speed_tags *t, const char *name)
{
    static const struct rule rules[] = {
        { "GB10", "gb10" },      { "Blackwell", "blackwell" }, { "B100", "blackwell-dc" }, { "B200", "blackwell-dc" }, { "B300", "blackwell-dc" },
        { "GB200", "blackwell-dc" }, { "H100", "hopper" },     { "H200", "hopper" },       { "H20", "hopper" },        { "H800", "hopper" }, { "GH200", "hopper" },
        { "Ada", "ada" },        { "L4", "ada" },              { "L40", "ada" },           { "L40S", "ada" },
        { "A100", "ampere-dc" }, { "A30", "ampere-dc" },       { "A800", "ampere-dc" },
        { "A10", "ampere" },     { "A10G", "ampere" },         { "A40", "ampere" },        { "A2", "ampere" },         { "A16", "ampere" },
        { "V100", "volta" },     { "TITAN V", "volta" },       { "TITAN RTX", "turing" },  { "T4", "turing" },         { "Quadro RTX", "turing" },
        { "RTX 2050", "ampere" }, { "P100", "pascal-hbm" },    { "P40", "pascal" },        { "P4", "pascal" },         { "P6", "pascal" },
        { "TITAN Xp", "pascal" }, { "TITAN X", "pascal" },     { "MX150", "pascal" },      { "MX250", "pascal" },      { "MX350", "pascal" },
        { "MX450", "turing16" }, { "MX550", "turing16" },      { "MX570", "ampere" },      { "T1200", "turing16" },    { "T1000", "turing16" },
        { "T600", "turing16" },  { "T500", "turing16" },       { "T550", "turing16" },     { "T400", "turing16" },     { "T2000", "turing16" },
        { "M40", "maxwell" },    { "M60", "maxwell" },         { "K80", "kepler" },
    };
    const char *suffix;
    const int number = number_in(name, 3, &suffix);
    t->has_tensor = true;
    const char *quadro_p = find_word(name, "Quadro P");
    if (has_word(name, "GTX") || has_word(name, "GT"))
        set(t->arch, number >= 1600 && number < 1700 ? "turing16" : number >= 1000 ? "pascal" : "maxwell");
    else if (!quadro_p && strstr(name, "Quadro P"))
        set(t->arch, "pascal");
    else if (FIRST_RULE(t->arch, rules, name))
        ;
    else if (strstr(name, "RTX A"))
        set(t->arch, "ampere");
    else if (has_word(name, "RTX"))
        set(t->arch, number >= 5000 && number < 5100 ? "blackwell" : number >= 4000 && number < 4100 ? "ada" :
                     number >= 3000 && number < 3100 ? "ampere" : number >= 2000 && number < 2100 ? "turing" : number >= 6000 ? "blackwell" : "");
    if (strncmp(t->arch, "pascal", 6) == 0 || strcmp(t->arch, "turing16") == 0 || strcmp(t->arch, "maxwell") == 0 || strcmp(t->arch, "kepler") == 0)
        t->has_tensor = false;
    const bool is_laptop = has_word(name, "Laptop") || has_word(name, "Mobile") || (has_word(name, "Max-Q") && !has_word(name, "PRO")) || strstr(name, "(laptop)") || strstr(name, " MX");
    const bool is_dc = strstr(t->arch, "-dc") || !strcmp(t->arch, "hopper") || !strcmp(t->arch, "volta") || has_word(name, "L4") ||
                       has_word(name, "L40") || has_word(name, "L40S") || has_word(name, "T4") || has_word(name, "A10") || has_word(name, "A40");
    set(t->form, is_laptop ? "laptop" : is_dc ? "server" : strstr(name, "GeForce") || strstr(name, "TITAN") ? "desktop" : "workstation");
}

static void amd_gpu(struct speed_tags *t, const char *name)
{
    static const struct rule rules[] = {
        { "R9700", "rdna4" },  { "8060S", "rdna35" }, { "8050S", "rdna35" }, { "890M", "rdna35" }, { "880M", "rdna35" }, { "860M", "rdna35" },
        { "840M", "rdna35" },  { "780M", "rdna3" },   { "760M", "rdna3" },   { "740M", "rdna3" },  { "680M", "rdna2" },  { "660M", "rdna2" },
        { "V620", "rdna2" },   { "W6800", "rdna2" },  { "W7700", "rdna3" },  { "W7800", "rdna3" }, { "W7900", "rdna3" }, { "W7500", "rdna3" },
        { "W7600", "rdna3" },  { "VII", "vega" },     { "Vega", "vega" },    { "MI25", "vega" },   { "MI50", "vega" },   { "MI60", "vega" },
        { "MI100", "cdna" },   { "MI210", "cdna" },   { "MI250", "cdna" },   { "MI250X", "cdna" }, { "MI300X", "cdna3" }, { "MI300A", "cdna3" },
        { "MI325X", "cdna3" }, { "MI350X", "cdna3" }, { "MI355X", "cdna3" },
    };
    const char *suffix;
    const int number = number_in(name, 3, &suffix);
    if (!FIRST_RULE(t->arch, rules, name) && has_word(name, "RX"))
        set(t->arch, number >= 9000 ? "rdna4" : number >= 7000 ? "rdna3" : number >= 6000 ? "rdna2" : number >= 5000 ? "rdna1" : "gcn");
    const size_t n = strlen(name);
    set(t->form, strstr(name, "iGPU") || strstr(name, "Ryzen") || strstr(name, "80S") || strstr(name, "0M") ? "apu" :
                 (n > 1 && (name[n - 1] == 'M' || name[n - 1] == 'S')) || has_word(name, "Laptop") ? "laptop" :
                 strncmp(t->arch, "cdna", 4) == 0 || strstr(name, "MI") ? "server" : "desktop");
}

static void apple(struct speed_tags *t, const char *name)
{
    const char *m = strstr(name, "Apple M");
    if (m && isdigit((unsigned char)m[7])) {
        const char tag[3] = { 'm', m[7], '\0' };
        set(t->arch, tag);
    }
    set(t->form, has_word(name, "Ultra") ? "ultra" : has_word(name, "Max") ? "max" : has_word(name, "Pro") ? "pro" : "base");
}

static void intel_core(struct speed_tags *t, const char *name)
{
    const char *suffix, *dash = strchr(name, '-');
    const bool is_ultra = has_word(name, "Ultra"), is_small_name = !dash && !is_ultra && (has_word(name, "Core 3") || has_word(name, "Core 5") || has_word(name, "Core 7"));
    const int n = number_in(dash ? dash : name, 3, &suffix);
    int gen = n >= 10000 ? n / 1000 : n >= 1000 ? n / 1000 : n >= 100 ? 1 : 0;
    if (n >= 1000 && n < 2000 && (suffix[0] == 'G' || suffix[0] == 'U' || suffix[0] == 'P' || suffix[0] == 'H')) /* i7-1185G7, i5-1335U: two digits of generation */
        gen = n / 100;
    if (dash && isdigit((unsigned char)dash[1]) && dash[2] == 'Y') { /* i5-7Y54 */
        set(t->arch, dash[1] >= '8' ? "skylake+" : "skylake");
        set(t->isa, "avx2");
        set(t->form, "ultra");
        return;
    }
    if (is_ultra || is_small_name) {
        const bool is_lunar = suffix[0] == 'V';
        set(t->arch, n >= 300 ? "panther" : is_lunar ? "lunar" : n >= 200 ? "arrow" : "meteor");
        set(t->isa, "avx2");
    } else if (gen >= 12) {
        set(t->arch, gen == 12 ? "alder" : "raptor");
        set(t->isa, "avx2");
    } else if (gen == 11) {
        set(t->arch, suffix[0] == 'G' ? "tiger" : suffix[0] == 'H' ? "tiger" : "rocket");
        set(t->isa, "avx512");
    } else if (gen == 10) {
        set(t->arch, suffix[0] == 'G' ? "icelake" : "skylake+");
        set(t->isa, suffix[0] == 'G' ? "avx512" : "avx2");
    } else if (gen >= 6) {
        set(t->arch, gen == 6 || gen == 7 ? "skylake" : "skylake+");
        set(t->isa, "avx2");
    } else if (gen >= 4) {
        set(t->arch, "haswell");
        set(t->isa, "avx2");
    } else if (gen >= 2) {
        set(t->arch, "sandy");
        set(t->isa, "avx");
    } else {
        set(t->arch, "nehalem");
        set(t->isa, "sse");
    }
    set(t->form, strchr("UYGPV", suffix[0]) && suffix[0] ? "ultra" : suffix[0] == 'H' || suffix[0] == 'M' || suffix[0] == 'Q' || (suffix[0] == 'X' && suffix[1] == 'M') ? "laptop" : "desktop");
}

static void xeon(struct speed_tags *t, const char *name)
{
    const char *suffix, *v = strstr(name, " v");
    if (!v)
        v = strstr(name, " V");
    const int n = number_in(name, 4, &suffix), version = v ? atoi(v + 2) : 1;
    const bool is_w = strstr(name, "Xeon W-") != NULL, is_new_w = strstr(name, "Xeon w") && !is_w;
    set(t->form, "server");
    if (strstr(name, "E3-") || strstr(name, "Xeon E-"))
        set(t->form, "desktop");
    if (strstr(name, "E3-") || strstr(name, "E5-") || strstr(name, "E7-")) {
        set(t->arch, version >= 5 ? "skylake" : version >= 3 ? "xeon-v3" : "xeon-v1");
        set(t->isa, version >= 3 ? "avx2" : "avx");
    } else if (is_w || is_new_w) {
        set(t->arch, is_new_w ? "sapphire" : n >= 3300 && n < 3400 ? "xeon-3gen" : "xeon-1gen");
        set(t->isa, "avx512");
        set(t->form, "workstation");
    } else if (has_word(name, "Silver") || has_word(name, "Gold") || has_word(name, "Platinum") || has_word(name, "Bronze")) {
        const int gen = n / 100 % 10; /* 5218: second generation */
        set(t->arch, gen >= 4 ? "sapphire" : gen == 3 ? "xeon-3gen" : "xeon-1gen");
        set(t->isa, "avx512");
    } else if (strstr(name, "Xeon E-")) {
        set(t->arch, "skylake+");
        set(t->isa, "avx2");
    } else if (strstr(name, "Xeon 6")) {
        set(t->arch, "sapphire");
        set(t->isa, "avx512");
    } else {
        set(t->arch, "nehalem");
        set(t->isa, "sse");
    }
}

static void ryzen(struct speed_tags *t, const char *name)
{
    const char *suffix;
    const int n = number_in(name, 3, &suffix), thousand = n / 1000, ten = n / 10 % 10;
    set(t->isa, "avx2");
    set(t->form, suffix[0] == 'U' || strstr(suffix, "GE") == suffix ? "ultra" : suffix[0] == 'H' || suffix[0] == 'Z' ? "laptop" : suffix[0] == 'G' ? "apu" : "desktop");
    if (has_word(name, "AI")) {
        const bool is_max = has_word(name, "Max") || has_word(name, "Max+");
        set(t->arch, is_max ? "zen5-max" : "zen5-apu");
        set(t->form, is_max ? "max" : "laptop");
        set(t->isa, "avx512");
        return;
    }
    if (has_word(name, "Threadripper") || has_word(name, "EPYC"))
        return;
    const bool is_mobile_7000 = thousand == 7 && (suffix[0] == 'U' || suffix[0] == 'H');
    if (is_mobile_7000) /* the third digit says which Zen: 7730U is Zen 3, 7840HS Zen 4 */
        set(t->arch, ten >= 4 ? "zen4" : ten == 3 ? "zen3" : "zen2");
    else if (thousand == 5)
        set(t->arch, suffix[0] == 'U' && n != 5600 && n != 5800 ? "zen2" : "zen3");
    else
        set(t->arch, thousand >= 9 ? "zen5" : thousand >= 7 ? "zen4" : thousand == 6 ? "zen3" : thousand >= 4 ? "zen2" : thousand == 3 ? "zen2" : "zen1");
    if (thousand == 3 && (suffix[0] == 'U' || suffix[0] == 'H' || suffix[0] == 'G'))
        set(t->arch, "zen1");
    if (thousand == 8)
        set(t->arch, "zen4");
    if (!strcmp(t->arch, "zen4") || !strcmp(t->arch, "zen5"))
        set(t->isa, "avx512");
    if (has_word(name, "Embedded"))
        set(t->arch, "zen1"), set(t->form, "ultra");
}

static void epyc(struct speed_tags *t, const char *name)
{
    const char *suffix;
    const int n = number_in(name, 4, &suffix), last = n % 10;
    const bool is_tr = has_word(name, "Threadripper");
    set(t->form, is_tr ? "workstation" : n / 1000 == 4 ? "desktop" : "server");
    if (is_tr)
        set(t->arch, n >= 9000 ? "zen5" : n >= 7000 ? "zen4" : n >= 5000 ? "zen3" : n >= 3000 ? "zen2" : "zen1");
    else
        set(t->arch, last == 1 ? "zen1" : last == 2 ? "zen2" : last == 3 ? "zen3" : last == 5 && n != 7585 ? "zen5" : "zen4");
    if (strstr(name, "7B1") || strstr(name, "7K6") || strstr(name, "7H1"))
        set(t->arch, "zen2");
    set(t->isa, !strcmp(t->arch, "zen4") || !strcmp(t->arch, "zen5") ? "avx512" : "avx2");
}

static void cpu(struct speed_tags *t, const char *name)
{
    static const struct rule old[] = { { "Core 2", "core2" }, { "Core2", "core2" }, { "Phenom", "core2" }, { "Athlon", "core2" }, { "Xeon X5", "core2" } };
    static const struct rule atoms[] = { { "N100", "gracemont" }, { "N150", "gracemont" }, { "N95", "gracemont" }, { "N97", "gracemont" }, { "N200", "gracemont" },
                                         { "N305", "gracemont" }, { "i3-N305", "gracemont" } };
    if (strstr(name, "Apple")) {
        apple(t, name);
        set(t->isa, "arm");
        char arch[SPEED_TAG_BYTES];
        set(arch, t->arch);
        snprintf(t->arch, sizeof(t->arch), "apple-%.6s", arch);
    } else if (FIRST_RULE(t->arch, old, name))
        set(t->isa, "sse"), set(t->form, "desktop");
    else if (FIRST_RULE(t->arch, atoms, name))
        set(t->isa, "avx2"), set(t->form, "ultra");
    else if (has_word(name, "FX") || strstr(name, "FX-") || has_word(name, "Opteron"))
        set(t->arch, "bulldozer"), set(t->isa, "avx"), set(t->form, has_word(name, "Opteron") ? "server" : "desktop");
    else if (has_word(name, "Pentium") || has_word(name, "Celeron"))
        set(t->arch, "skylake"), set(t->isa, "sse"), set(t->form, "desktop");
    else if (has_word(name, "Core M") || strstr(name, "Core m"))
        set(t->arch, "haswell"), set(t->isa, "avx2"), set(t->form, "ultra");
    else if (has_word(name, "Xeon"))
        xeon(t, name);
    else if (has_word(name, "Threadripper") || has_word(name, "EPYC"))
        epyc(t, name);
    else if (has_word(name, "Ryzen"))
        ryzen(t, name);
    else if (strstr(name, "Custom APU"))
        set(t->arch, "zen2"), set(t->isa, "avx2"), set(t->form, "ultra");
    else if (has_word(name, "ZHAOXIN"))
        set(t->arch, "zhaoxin"), set(t->isa, "avx2"), set(t->form, "desktop");
    else if (strstr(name, "Altra") || strstr(name, "Graviton") || strstr(name, "AmpereOne") || strstr(name, "Grace"))
        set(t->arch, "neoverse"), set(t->isa, "arm"), set(t->form, "server");
    else if (has_word(name, "Core"))
        intel_core(t, name);
}

static void soc(struct speed_tags *t, const char *name)
{
    static const struct rule rules[] = {
        { "Raspberry Pi 5", "a76" },   { "Raspberry Pi 500", "a76" }, { "Raspberry Pi 500+", "a76" }, { "CM5", "a76" },     { "Raspberry Pi 4B", "a72" },
        { "Raspberry Pi 4", "a72" },   { "Raspberry Pi 400", "a72" }, { "CM4", "a72" },               { "Raspberry Pi 3B+", "a53" }, { "Raspberry Pi 3", "a53" },
        { "RK3588", "a76" },           { "RK3588S", "a76" },          { "Apple", "apple" },           { "P550", "riscv" },  { "DC-ROMA", "riscv" },
        { "Snapdragon", "snapdragon" }, { "QCS6490", "snapdragon" },   { "Dimensity", "snapdragon" },  { "Kirin", "a76" },   { "CIX", "a720" },
        { "Exynos", "snapdragon" },    { "Tensor", "snapdragon" },
    };
    FIRST_RULE(t->arch, rules, name);
    set(t->isa, !strcmp(t->arch, "riscv") ? "riscv" : "arm");
    set(t->form, strstr(name, "Apple") || strstr(name, "Snapdragon") || strstr(name, "Kirin") || strstr(name, "Dimensity") || strstr(name, "Exynos") || strstr(name, "Tensor") ? "phone" : "board");
}

static void intel_gpu(struct speed_tags *t, const char *name)
{
    const char *suffix;
    const bool is_igpu = strstr(name, "iGPU") || strstr(name, "140V") || strstr(name, "130V") || strstr(name, "140T") || strstr(name, "Iris") || strstr(name, "UHD");
    (void)number_in(name, 2, &suffix);
    set(t->arch, strstr(name, "Arc B") || strstr(name, "Pro B") || strstr(name, "140V") || strstr(name, "130V") ? "xe2" : strstr(name, "Max 1") ? "xe-hpc" : "xe1");
    set(t->form, is_igpu ? "apu" : strstr(name, "Data Center") ? "server" : "desktop");
}

static void npu(struct speed_tags *t, const char *name)
{
    set(t->arch, strstr(name, "RK35") ? "rknpu" : strstr(name, "Hexagon") ? "hexagon" : strstr(name, "Hailo") ? "hailo" : strstr(name, "Intel") ? "intel" : "");
}

void speed_tags(struct speed_tags *t, const char *device, enum plan_class cls)
{
    char name[96];
    memset(t, 0, sizeof(*t));
    plan_device_base_name(name, sizeof(name), device);
    t->is_hosted = strstr(device, "[host") != NULL;
    const int n = atoi(device);
    t->n_devices = n >= 2 && n <= 64 && strstr(device, "x ") ? n : 1;
    switch (cls) {
    case PLAN_NVIDIA: nvidia(t, name); break;
    case PLAN_AMD: amd_gpu(t, name); break;
    case PLAN_INTEL: intel_gpu(t, name); break;
    case PLAN_APPLE: apple(t, name); break;
    case PLAN_CPU: cpu(t, name); break;
    case PLAN_SOC: soc(t, name); break;
    case PLAN_JETSON: set(t->arch, strstr(name, "Thor") ? "blackwell" : strstr(name, "Orin") ? "ampere" : "volta"), t->has_tensor = true; break;
    case PLAN_NPU: npu(t, name); break;
    case PLAN_CLASS_COUNT: break;
    }
}
