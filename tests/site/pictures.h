/* tests/site/pictures.h - made-up clusters of any size for the tests of pictures, and a small judge of XML. */
#ifndef PICTURES_H
#define PICTURES_H
#include "site/draw.h"
#include "test.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* n nodes and some experts on each; hostile: their names. */
static inline struct draw *made_up(int n, const char *const *hostile, int n_hostile)
{
    static const char *const kinds[] = { "Raspberry Pi 5 8GB", "Raspberry Pi 4 8GB", "Jetson Orin Nano Super 8GB", "Beelink GTi14", "Lenovo 16IAL10" };
    static const char *const archs[] = { "arm64", "arm64", "arm64", "amd64", "amd64" }, *const boards[] = { "pi5", "pi4", "jetson", "pc", "laptop" };
    static const char *const devices[] = { "Coral USB Accelerator", "Intel Neural Compute Stick 2", "Ampere GPU, 1024 cores", "Arc Graphics (Meteor Lake-H iGPU)", "" };
    static const char *const names[] = { "chat", "chat-small", "detector", "classifier", "listen", "voice", "vectors", "describe", "ocr" };
    static const char *const tasks[] = { "chat", "chat", "detect", "classify", "transcribe", "speak", "embed", "describe", "ocr" };
    struct err err = { 0 };
    struct draw *d = draw_new(n_hostile ? hostile[0] : "homelab", &err);
    const int n_experts = n * 2 + n / 2;
    char name[64];
    if (!d || !draw_room(d, n, n_experts, 0, &err)) {
        CHECK(false, "%s", err.text);
        exit(1);
    }
    d->net = n_hostile ? hostile[n_hostile - 1] : "Netgear GS108", d->net_gbit_s = 1, d->watts = 61.3, d->usd_month = 7.44;
    d->latency = 0.5, d->energy = 0.33, d->cost = 0.17;
    for (int i = 0; i < n; i++) {
        struct draw_node *k = &d->nodes[i];
        const int t = i == 0 ? 3 : (i * 7) % 5;
        snprintf(name, sizeof(name), "%s-%d", boards[t], i);
        k->name = n_hostile ? hostile[i % n_hostile] : draw_copy(d, name);
        k->kind = n_hostile ? hostile[(i + 1) % n_hostile] : kinds[t], k->arch = archs[t], k->board = boards[t], k->address = "192.168.1.10";
        k->is_head = i == 0, k->is_wifi = t == 4, k->link_gbit_s = t == 4 ? 0.3 : t == 3 ? 2.5 : 1;
        k->mem_bytes = 5700000000, k->used_bytes = (uint64_t)(600000000.0 * (i % 9)), k->load = (i % 10) / 10.0, k->watts = 4 + i % 13;
        if (*devices[t])
            k->devices[k->n_devices++] = (struct draw_device){ n_hostile ? hostile[(i + 2) % n_hostile] : devices[t], t < 2 ? DRAW_STICK : DRAW_GPU, 0 };
        k->devices[k->n_devices++] = (struct draw_device){ n_hostile ? hostile[i % n_hostile] : "CPU", DRAW_CPU, 0 };
    }
    for (int e = 0; e < n_experts; e++) {
        struct draw_expert *x = &d->experts[e];
        x->node = (int)((long)e * n / n_experts);
        x->name = n_hostile ? hostile[e % n_hostile] : names[e % 9], x->task = tasks[e % 9], x->model = n_hostile ? hostile[(e + 1) % n_hostile] : "Qwen2.5 3B";
        x->cls = draw_class_of(x->task), x->precision = e % 9 < 2 ? "Q4_K_M" : "", x->why = n_hostile ? hostile[e % n_hostile] : "most free memory";
        x->device = e % d->nodes[x->node].n_devices, x->bytes = 400000000ull * (unsigned)(1 + e % 5), x->share = 0.5, x->load = 0.2;
        if (e % 9 < 2)
            x->tok_s = 12 + e % 20;
        else
            x->item_s = 0.012;
    }
    if (!draw_count_wants(d, &err))
        CHECK(false, "%s", err.text);
    for (int i = 0; i < d->n_wants; i++)
        d->wants[i].per_hour = 20 * (i + 1) * (i + 1);
    if (d->n_wants > 2)
        d->wants[2].n_missing = 1, d->wants[2].why = n_hostile ? hostile[0] : "needs 9.4 GB; the most that is free is 6.1 GB on jetson";
    d->cascade = n_hostile ? hostile[0] : "smart-camera";
    d->n_boxes = 6;
    for (int i = 0; i < d->n_boxes; i++) {
        struct draw_flow_box *k = &d->boxes[i];
        *k = (struct draw_flow_box){ .kind = i == 0 ? DRAW_SOURCE : i == 5 ? DRAW_SINK : i == 4 ? DRAW_EVENT : DRAW_STAGE, .name = n_hostile ? hostile[i % n_hostile] : names[i], .task = "",
                                .gate = "", .how = "at most 1/s", .experts = "", .where = "", .per_hour = 1800, .after = i == 0 ? 0 : i == 4 ? 0xe : i == 3 ? 2 : 1u << (i - 1) };
        if (k->kind == DRAW_STAGE)
            k->task = tasks[i], k->cls = draw_class_of(k->task), k->where = "on pi5", k->experts = k->name, k->gate = n_hostile ? hostile[(i + 1) % n_hostile] : "count(motion.boxes) > 0 and any(objects.boxes, label == \"person\")";
    }
    return d;
}

/* Well-formed?  Tags nest, attributes are quoted and differ, & begins one of five entities or a number, no forbidden character.  "" or what is wrong. */
static inline const char *judge_xml(const char *s, size_t n)
{
    static char why[120];
    char open[64][24];
    int depth = 0;
    bool has_root = false;
    for (size_t i = 0; i < n;) {
        if (s[i] == '<' && s[i + 1] == '/') {
            const size_t len = strcspn(s + i + 2, ">");
            if (depth == 0 || strlen(open[depth - 1]) != len || strncmp(open[depth - 1], s + i + 2, len) != 0) {
                snprintf(why, sizeof(why), "byte %zu: </%.20s closes nothing", i, s + i + 2);
                return why;
            }
            depth--, i += len + 3;
            continue;
        }
        if (s[i] == '<') {
            size_t k = i + 1, len = 0;
            while (isalnum((unsigned char)s[k + len]))
                len++;
            if (len == 0 || len >= sizeof(open[0]) || depth == 64 || (depth == 0 && has_root)) {
                snprintf(why, sizeof(why), "byte %zu: no tag: %.20s", i, s + i);
                return why;
            }
            memcpy(open[depth], s + k, len), open[depth][len] = '\0', depth++, has_root = true;
            for (k += len; s[k] != '>';) {
                if (s[k] == '/' && s[k + 1] == '>') {
                    depth--, k++;
                    break;
                }
                if (s[k] == ' ' || s[k] == '\n') {
                    k++;
                    continue;
                }
                const size_t name = strcspn(s + k, "= <>\"'");
                if (name == 0 || s[k + name] != '=' || s[k + name + 1] != '"') {
                    snprintf(why, sizeof(why), "byte %zu: no attribute: %.20s", k, s + k);
                    return why;
                }
                k += name + 2;
                k += strcspn(s + k, "\"<");
                if (s[k] != '"') {
                    snprintf(why, sizeof(why), "byte %zu: a value without end", k);
                    return why;
                }
                k++;
            }
            i = k + 1;
            continue;
        }
        if (s[i] == '&') {
            static const char *const known[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };
            bool is = false;
            for (int k = 0; k < 5; k++)
                is |= strncmp(s + i, known[k], strlen(known[k])) == 0;
            if (!is) {
                snprintf(why, sizeof(why), "byte %zu: & without an entity", i);
                return why;
            }
        }
        if ((unsigned char)s[i] < 0x20 && s[i] != '\n' && s[i] != '\t') {
            snprintf(why, sizeof(why), "byte %zu: control character %d", i, s[i]);
            return why;
        }
        i++;
    }
    return depth ? "a tag is never closed" : "";
}
#endif
