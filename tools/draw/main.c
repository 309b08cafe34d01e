/* tools/draw TEXT - a white page with a text in it, as PNG on stdout: for ./demo, which lets an expert read it. */
#include <stdio.h>
#include <stdlib.h>

#include "media/draw.h"

int main(int argc, char **argv)
{
    struct image page = { 0 };
    struct err err = { 0 };
    struct buf png;
    buf_init(&png, 16 << 20);
    if (argc != 2) {
        fprintf(stderr, "usage: draw TEXT >picture.png\n");
        return 2;
    }
    const bool good = draw_page(argv[1], 32, 480, &page, &err) && image_encode_png(&page, &png, &err);
    if (!good)
        fprintf(stderr, "tutti: draw: %s\n", err.text);
    else if (fwrite(png.data, 1, png.len, stdout) != png.len || fflush(stdout) != 0)
        fprintf(stderr, "tutti: draw: cannot write\n");
    const bool written = good && !ferror(stdout);
    buf_fini(&png);
    image_fini(&page);
    return written ? 0 : 1;
}
