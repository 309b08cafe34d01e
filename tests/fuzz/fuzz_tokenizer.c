/* tests/fuzz/fuzz_tokenizer.c - bytes as the tokenizer of a Whisper-class model; what is taken is used. */
#include "fuzz.h"
#include "task/whisper_rules.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct whisper_vocab v;
    struct err err = { 0 };
    struct buf text;
    buf_init(&text, 1 << 16);
    if (whisper_vocab_parse(&v, (const char *)data, size, NULL, 0, NULL, 0, &err)) {
        enum { N = 4096 };
        static float logits[N];
        int64_t ids[64];
        for (int i = 0; i < N; i++)
            logits[i] = (float)(i % 7);
        for (int i = -1; i < 64; i++)
            whisper_vocab_put(&v, i, &text);
        const int n = whisper_vocab_encode(&v, "a the text", 10, ids, 64);
        whisper_bar(&v, logits, N, ids, n, true, 50);
        struct whisper_segment s[8];
        double seek_s;
        whisper_cut(&v, ids, n, 30, s, 8, &seek_s);
        whisper_compression_ratio(text.data ? text.data : "", text.len);
    }
    whisper_vocab_fini(&v);
    buf_fini(&text);
    return 0;
}
