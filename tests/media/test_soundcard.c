/* tests/media/test_soundcard.c - microphone and loudspeaker through ALSA's plug-ins that need no hardware: `file` keeps what is said
 * and gives it back. */
#include "media/soundcard.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "test.h"

#define NEED(s, err)                                                                               \
    do {                                                                                           \
        if (!(s) && (err).code == ERR_UNSUPPORTED)                                                 \
            SKIP("%s", (err).text);                                                                \
        REQUIRE(s, "%s", (err).text);                                                              \
    } while (0)

TEST(what_is_said_comes_out_and_what_is_heard_comes_in)
{
    struct err err = { 0 };
    char said[512], config[1600];
    snprintf(said, sizeof(said), "%s", test_tmp("said.raw"));
    const char *conf = test_tmp("asound.conf");
    FILE *f = fopen(conf, "w");
    REQUIRE(f);
    snprintf(config, sizeof(config), "pcm.speaker { type plug slave.pcm { type file file \"%s\" format \"raw\" slave.pcm \"null\" } }\n"
                                     "pcm.mike { type file file \"/dev/null\" infile \"%s\" format \"raw\" slave.pcm \"null\" }\npcm.null { type null }\n", said, said);
    fputs(config, f);
    fclose(f);
    setenv("ALSA_CONFIG_PATH", conf, 1);
    struct soundcard *s = soundcard_open_loudspeaker("speaker", 16000, 0, &err);
    NEED(s, err);
    float tone[16000];
    for (int i = 0; i < 16000; i++)
        tone[i] = (float)(0.5 * sin(i * 0.1));
    for (int i = 0; i < 16000; i += 800)
        REQUIRE(soundcard_say(s, tone + i, 800, &err), "%s", err.text);
    REQUIRE(soundcard_drain(s, &err), "%s", err.text);
    soundcard_close(s);
    size_t n;
    char *raw = file_read(said, 1 << 20, &n, &err);
    REQUIRE(raw, "%s", err.text);
    CHECK(n >= 32000, "%zu bytes", n);
    int n_wrong = 0;
    for (int i = 0; i < 16000 && n >= 32000; i++) {
        int16_t v;
        memcpy(&v, raw + 2 * i, 2);
        n_wrong += abs(v - (int)lrintf(tone[i] * 32768)) > 1;
    }
    CHECK(n_wrong == 0, "%d samples", n_wrong);
    free(raw);

    s = soundcard_open_microphone("mike", 16000, 100, &err); /* hears what was said */
    NEED(s, err);
    float heard[3333];
    REQUIRE(soundcard_hear(s, heard, 3333, &err), "%s", err.text);
    double worst = 0;
    for (int i = 0; i < 3333; i++)
        worst = fmax(worst, fabs(heard[i] - tone[i]));
    CHECK(worst < 1e-4, "%g", worst);
    soundcard_close(s);
    CHECK(!soundcard_open_microphone("no such device", 16000, 0, &err) && err.code == ERR_NOT_FOUND && strstr(err.text, "no such device"), "%s", err.text);
    CHECK(!soundcard_open_loudspeaker(NULL, 1, 0, &err) && err.code == ERR_INPUT);
}
