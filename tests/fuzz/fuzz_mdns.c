/* tests/fuzz/fuzz_mdns.c - packets of multicast DNS from anybody: names end, loops of pointers end, what is found is a name and a port. */
#include <stdlib.h>
#include <string.h>

#include "base/label.h"
#include "fuzz.h"
#include "wire/mdns.h"
#include "wire/node_pb.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mdns_packet p;
    struct err err = { 0 };
    void *copy = malloc(size ? size : 1); /* of exactly that size */
    if (!copy)
        abort();
    if (size)
        memcpy(copy, data, size);
    if (!mdns_read(&p, copy, size, &err) && (err.code == ERR_NONE || p.n_found != 0))
        abort();
    for (int i = 0; i < p.n_found; i++)
        if (!label_is_valid(p.found[i].name) || p.found[i].port < 1 || p.found[i].port > 65535)
            abort();
    free(copy);
    return 0;
}
