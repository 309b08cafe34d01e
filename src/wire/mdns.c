/* wire/mdns.c - see mdns.h. */
#include "wire/mdns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/label.h"
#include "wire/node_pb.h"

enum { TYPE_A = 1, TYPE_PTR = 12, TYPE_TXT = 16, TYPE_SRV = 33, TYPE_ANY = 255, CLASS_IN = 1, FLUSH = 0x8000, RESPONSE = 0x8000, AUTHORITATIVE = 0x0400,
       NAME_MAX_BYTES = 256, RECORDS_MAX = 512, JUMPS_MAX = 16 };
static const char service[] = "_tutti._tcp.local";

/* ---- out ---- */

static void put_u16(struct buf *out, unsigned v) { buf_append(out, (const char[]){ (char)(v >> 8), (char)v }, 2); }
static void put_u32(struct buf *out, uint32_t v) { put_u16(out, v >> 16), put_u16(out, v & 0xffff); }

static void put_name(struct buf *out, const char *dotted)
{
    while (*dotted) {
        const size_t n = strcspn(dotted, ".");
        buf_putc(out, (char)n);
        buf_append(out, dotted, n);
        dotted += n + (dotted[n] == '.');
    }
    buf_putc(out, '\0');
}

static void put_head(struct buf *out, unsigned flags, unsigned n_questions, unsigned n_answers, unsigned n_more)
{
    const unsigned fields[] = { 0, flags, n_questions, n_answers, 0, n_more };
    for (int i = 0; i < 6; i++)
        put_u16(out, fields[i]);
}

void mdns_put_question(struct buf *out)
{
    put_head(out, 0, 1, 0, 0);
    put_name(out, service);
    put_u16(out, TYPE_PTR);
    put_u16(out, CLASS_IN);
}

static void put_record(struct buf *out, const char *name, unsigned type, bool is_ours_alone, const struct buf *data)
{
    put_name(out, name);
    put_u16(out, type);
    put_u16(out, CLASS_IN | (is_ours_alone ? FLUSH : 0));
    put_u32(out, MDNS_TTL_S);
    put_u16(out, (unsigned)data->len);
    buf_append(out, data->data, data->len);
    out->failed = out->failed || data->failed;
}

void mdns_put_answer(struct buf *out, const struct mdns_node *n, const unsigned char address[4])
{
    char instance[NAME_MAX_BYTES], host[NAME_MAX_BYTES];
    struct buf data;
    buf_init(&data, 1024);
    snprintf(instance, sizeof(instance), "%s.%s", n->name, service);
    snprintf(host, sizeof(host), "%s.local", n->name);
    put_head(out, RESPONSE | AUTHORITATIVE, 0, 1, 3);
    put_name(&data, instance);
    put_record(out, service, TYPE_PTR, false, &data);
    buf_clear(&data);
    put_u16(&data, 0), put_u16(&data, 0), put_u16(&data, (unsigned)n->port);
    put_name(&data, host);
    put_record(out, instance, TYPE_SRV, true, &data);
    buf_clear(&data);
    buf_append(&data, n->is_tls ? "\005tls=1" : "\005tls=0", 6);
    put_record(out, instance, TYPE_TXT, true, &data);
    buf_clear(&data);
    buf_append(&data, address, 4);
    put_record(out, host, TYPE_A, true, &data);
    buf_fini(&data);
}

/* ---- in ---- */

struct cursor {
    const unsigned char *bytes;
    size_t n, at;
};

static bool take(struct cursor *c, size_t n, const unsigned char **out)
{
    if (n > c->n - c->at)
        return false;
    *out = c->bytes + c->at;
    c->at += n;
    return true;
}

static bool take_u16(struct cursor *c, unsigned *v)
{
    const unsigned char *b;
    if (!take(c, 2, &b))
        return false;
    *v = (unsigned)b[0] << 8 | b[1];
    return true;
}

/* As dotted text in lower case; what is no letter, digit, '-' or '_' becomes '?', so that it is like no name of ours. */
static bool take_name(struct cursor *c, char out[NAME_MAX_BYTES])
{
    struct cursor at = *c;
    size_t n = 0;
    bool has_jumped = false;
    for (int jumps = 0;;) {
        const unsigned char *b;
        if (!take(&at, 1, &b))
            return false;
        const unsigned len = *b;
        if (len >= 0xc0) {
            const unsigned char *low;
            if (!take(&at, 1, &low) || ++jumps > JUMPS_MAX)
                return false;
            if (!has_jumped)
                c->at = at.at;
            has_jumped = true;
            at.at = (size_t)(len & 0x3f) << 8 | *low;
            if (at.at >= at.n)
                return false;
            continue;
        }
        if (len == 0)
            break;
        if (len > 63 || n + len + 2 > NAME_MAX_BYTES || !take(&at, len, &b))
            return false;
        if (n > 0)
            out[n++] = '.';
        for (unsigned i = 0; i < len; i++)
            out[n++] = isalnum(b[i]) || b[i] == '-' || b[i] == '_' ? (char)tolower(b[i]) : '?';
    }
    out[n] = '\0';
    if (!has_jumped)
        c->at = at.at;
    return true;
}

/* "jetson._tutti._tcp.local": its place in the list, made when it is new; NULL: none of ours, or too many. */
static struct mdns_node *find(struct mdns_packet *p, const char *instance)
{
    char name[NAME_MAX_BYTES];
    const size_t n = strcspn(instance, ".");
    if (instance[n] != '.' || strcmp(instance + n + 1, service) != 0)
        return NULL;
    memcpy(name, instance, n);
    name[n] = '\0';
    if (!label_is_valid(name))
        return NULL;
    for (int i = 0; i < p->n_found; i++)
        if (strcmp(p->found[i].name, name) == 0)
            return &p->found[i];
    if (p->n_found == MDNS_FOUND_MAX)
        return NULL;
    struct mdns_node *new = &p->found[p->n_found++];
    memset(new, 0, sizeof(*new));
    memcpy(new->name, name, n + 1);
    return new;
}

static bool read_record(struct mdns_packet *p, struct cursor *c, bool is_answer)
{
    char name[NAME_MAX_BYTES];
    unsigned type, cls, n;
    const unsigned char *ttl, *data;
    if (!take_name(c, name) || !take_u16(c, &type) || !take_u16(c, &cls) || !take(c, 4, &ttl) || !take_u16(c, &n) || !take(c, n, &data))
        return false;
    const bool is_gone = !(ttl[0] | ttl[1] | ttl[2] | ttl[3]);
    if (!is_answer || is_gone || (cls & ~(unsigned)FLUSH) != CLASS_IN)
        return true;
    struct mdns_node *node = type == TYPE_SRV || type == TYPE_TXT ? find(p, name) : NULL;
    if (node && type == TYPE_SRV && n > 6)
        node->port = data[4] << 8 | data[5];
    for (unsigned i = 0; node && type == TYPE_TXT && i < n; i += 1 + data[i])
        if (data[i] == 5 && n - i > 5 && memcmp(data + i + 1, "tls=1", 5) == 0)
            node->is_tls = true;
    return true;
}

bool mdns_read(struct mdns_packet *p, const void *bytes, size_t n, struct err *err)
{
    struct cursor c = { .bytes = bytes, .n = n };
    unsigned head[6];
    memset(p, 0, sizeof(*p));
    bool ok = n <= MDNS_PACKET_MAX_BYTES;
    for (int i = 0; i < 6 && ok; i++)
        ok = take_u16(&c, &head[i]);
    ok = ok && head[2] + head[3] + head[4] + head[5] <= RECORDS_MAX;
    for (unsigned i = 0; ok && i < head[2]; i++) {
        char name[NAME_MAX_BYTES];
        unsigned type, cls;
        ok = take_name(&c, name) && take_u16(&c, &type) && take_u16(&c, &cls);
        if (ok && !(head[1] & RESPONSE) && (type == TYPE_PTR || type == TYPE_ANY) && strcmp(name, service) == 0)
            p->asks_for_us = true;
    }
    for (unsigned i = 0; ok && i < head[3] + head[4] + head[5]; i++)
        ok = read_record(p, &c, (head[1] & RESPONSE) != 0);
    int k = 0;
    for (int i = 0; i < p->n_found; i++) /* those of which we know where */
        if (p->found[i].port > 0)
            p->found[k++] = p->found[i];
    p->n_found = ok ? k : 0;
    return ok || err_set(err, ERR_INPUT, "this is no DNS message");
}
