/* tests/fuzz/fuzz_topology.c - /topology.json of another node: whatever it says, the pictures, the page and the code are made or refused. */
#include "fuzz.h"

#include "site/draw.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct err err = { 0 };
    struct draw *d = n <= 1 << 16 ? draw_read_json((const char *)data, n, &err) : NULL;
    if (!d)
        return 0;
    struct buf b;
    buf_init(&b, 64 << 20);
    for (int w = 0; w < DRAW_WHAT_COUNT; w++) {
        for (int f = DRAW_WIDE; f <= DRAW_FILE_NARROW; f++)
            draw_svg(&b, d, (enum draw_what)w, (enum draw_form)f, &err);
        draw_dot(&b, d, (enum draw_what)w, &err);
        draw_mermaid(&b, d, (enum draw_what)w, &err);
        buf_clear(&b);
    }
    draw_html(&b, d, DRAW_TOPOLOGY, false, &err);
    buf_fini(&b);
    draw_free(d);
    return 0;
}
