/* tests/task/test_voice.c - a voice's JSON: numbers of sounds, speakers; files that lie. */
#include <string.h>

#include "task/voice.h"
#include "test.h"

static const char good[] = "{\"audio\":{\"sample_rate\":16000},\"espeak\":{\"voice\":\"en-us\"},\"inference\":{\"noise_scale\":0.5,\"length_scale\":1.5,\"noise_w\":0},"
    "\"phoneme_type\":\"espeak\",\"phoneme_id_map\":{\"_\":[0],\"^\":[1],\"$\":[2],\" \":[3],\"a\":[10],\"b\":[11,12],\"\xc9\x99\":[13],\"ab\":[99]},"
    "\"num_speakers\":3,\"speaker_id_map\":{\"anna\":2}}";

TEST(sounds_become_numbers_with_pads_between)
{
    struct voice v;
    struct err err = { 0 };
    REQUIRE(voice_parse(&v, good, sizeof(good) - 1, &err), "%s", err.text);
    CHECK(v.rate_hz == 16000 && v.noise == 0.5 && v.length == 1.5 && v.noise_w == 0 && !v.by_letters && strcmp(v.espeak_voice, "en-us") == 0);
    static struct phonemes p;
    static int64_t ids[VOICE_IDS_MAX];
    p.cp[0] = 'a', p.cp[1] = 0x259, p.cp[2] = 'q', p.cp[3] = ' ', p.cp[4] = 'b', p.n = 5;
    static const int64_t want[] = { 1, 0, 10, 0, 13, 0, 3, 0, 11, 12, 0, 2 }; /* q is not known */
    const int n = voice_ids(&v, &p, ids);
    CHECK(n == sizeof(want) / sizeof(*want) && memcmp(ids, want, sizeof(want)) == 0, "%d ids", n);
    p.cp[0] = 'q', p.n = 1;
    CHECK(voice_ids(&v, &p, ids) == 0);
    for (p.n = 0; p.n < PHONEMES_MAX; p.n++)
        p.cp[p.n] = 'b';
    CHECK(voice_ids(&v, &p, ids) <= VOICE_IDS_MAX);
    CHECK(voice_find_speaker(&v, "anna") == 2 && voice_find_speaker(&v, "1") == 1 && voice_find_speaker(&v, "3") == -1 &&
          voice_find_speaker(&v, "bob") == -1 && voice_find_speaker(&v, "") == -1);
    voice_fini(&v);
}

TEST(files_that_make_no_sense_are_refused)
{
    static const char *const bad[] = {
        "", "[]", "{}", "{\"phoneme_type\":\"text\"}", "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{}}",
        "{\"phoneme_type\":\"magic\",\"phoneme_id_map\":{\"a\":[1]}}", "{\"phoneme_id_map\":{\"a\":[1]}}",
        "{\"espeak\":{\"voice\":\"--help\"},\"phoneme_id_map\":{\"a\":[1]}}", "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[]}}",
        "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[-1]}}", "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":1}}",
        "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[1,2,3,4,5]}}", "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[1]},\"audio\":{\"sample_rate\":1}}",
        "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[1]},\"inference\":{\"noise_scale\":-1}}",
        "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[1]},\"num_speakers\":2,\"speaker_id_map\":{\"x\":2}}",
        "{\"phoneme_type\":\"text\",\"phoneme_id_map\":{\"a\":[1]},\"num_speakers\":99999999}",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
        struct voice v;
        struct err err = { 0 };
        CHECK(!voice_parse(&v, bad[i], strlen(bad[i]), &err) && err.text[0], "%s", bad[i]);
    }
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

TEST(letters_are_decomposed_and_small)
{
    static struct phonemes p;
    struct err err = { 0 };
    REQUIRE(phonemes_by_letters(&p, "\xc3\x89" "A!  ", 6, &err), "%s", err.text);
    CHECK(p.n == 4 && p.cp[0] == 'e' && p.cp[1] == 0x301 && p.cp[2] == 'a' && p.cp[3] == '!', "%d", p.n);
    static char lots[PHONEMES_MAX + 2];
    memset(lots, 'a', sizeof(lots));
    CHECK(!phonemes_by_letters(&p, lots, sizeof(lots), &err) && err.code == ERR_LIMIT);
}

TEST(espeak_gives_phonemes_with_the_marks_of_clauses)
{
    static struct phonemes p;
    struct err err = { 0 };
    if (!phonemes_by_espeak(&p, "Hello, world.", 13, "en-us", never, NULL, &err)) {
        if (err.code == ERR_NOT_FOUND)
            SKIP("%s", err.text);
        REQUIRE(false, "%s", err.text);
    }
    int comma = -1;
    for (int i = 0; i < p.n; i++)
        comma = p.cp[i] == ',' ? i : comma;
    CHECK(p.cp[0] == 'h' && p.cp[1] == 0x259 && comma > 4 && p.cp[comma + 1] == ' ' && p.cp[p.n - 1] == '.' && p.n > 12, "%d sounds", p.n);
    REQUIRE(phonemes_by_espeak(&p, "voil\xc3\xa0 (he said) 3.50?!", 23, "en-us", never, NULL, &err), "%s", err.text);
    for (int i = 0; i < p.n; i++)
        CHECK(p.cp[i] != '(' && p.cp[i] != '\n');
    CHECK(p.cp[p.n - 1] == '!' && p.cp[p.n - 2] != '?');
    CHECK(!phonemes_by_espeak(&p, "x", 1, "nosuch", never, NULL, &err) && err.code == ERR_INPUT, "%s", err.text);
}
