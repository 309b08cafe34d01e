/* tests/fuzz/fuzz.h - the one function of a fuzz target: tests/fuzz/fuzz_<name>.c, seeds in corpus/<name>/.
 * `make fuzz` searches (tools/fuzz.sh); the test suite replays the corpus (replay.c, test_replay.sh). */
#ifndef TUTTI_TESTS_FUZZ_H
#define TUTTI_TESTS_FUZZ_H
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size); /* returns 0 */
#endif
