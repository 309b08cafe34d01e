/* tests/kernels/test_read.c - every variant reads all that it says, whatever the number of streams. */
#include "kernels/read/read.h"

#include <string.h>

#include "hw/cpu.h"
#include "test.h"

TEST(every_variant_adds_the_words_that_it_says_it_reads)
{
    enum { N = 16 * 128 * 3 + 64 };
    static _Alignas(64) uint64_t data[N / 8];
    const int streams[] = { 1, 2, 4, 8, 16 };
    for (int i = 0; i < N / 8; i++)
        data[i] = test_rand_u64();
    for (int v = 0; v < read_n_variants; v++) {
        if (read_variants[v]->need & ~cpu_flags())
            continue;
        for (int s = 0; s < 5; s++)
            for (size_t n = 0; n <= N; n += 64) {
                const size_t reads = read_bytes(n, streams[s]);
                uint64_t want = 0;
                for (size_t i = 0; i < reads / 8; i++)
                    want += data[i];
                CHECK(reads <= n && read_variants[v]->sum(data, n, streams[s]) == want, "%s, %d streams, %zu bytes", read_variants[v]->isa, streams[s], n);
            }
    }
    CHECK(strcmp(read_choose(0)->isa, "ref") == 0 && !(read_choose(cpu_flags())->need & ~cpu_flags()));
}
