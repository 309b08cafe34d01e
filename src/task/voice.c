/* task/voice.c - see voice.h. */
#include "task/voice.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "task/speak.h"

static int compare_cp(const void *a, const void *b)
{
    const int32_t x = ((const struct voice_sound *)a)->cp, y = ((const struct voice_sound *)b)->cp;
    return (x > y) - (x < y);
}

static bool read_sounds(struct voice *v, const json_t *map, struct err *err)
{
    const char *key;
    json_t *ids;
    if (!json_is_object(map) || json_object_size(map) == 0 || json_object_size(map) > VOICE_SOUNDS_MAX)
        return err_set(err, ERR_INPUT, "phoneme_id_map: a map of at most %d sounds is wanted", VOICE_SOUNDS_MAX);
    v->sounds = calloc(json_object_size(map), sizeof(*v->sounds));
    if (!v->sounds)
        return err_set(err, ERR_NOMEM, "phoneme_id_map: no memory");
    json_object_foreach((json_t *)(uintptr_t)map, key, ids) {
        uint32_t cp;
        struct voice_sound *s = &v->sounds[v->n_sounds];
        const size_t len = utf8_decode(key, strlen(key), &cp);
        if (len == 0 || key[len] != '\0')
            continue; /* sounds of several letters are none that our phonemizer gives */
        if (!json_is_array(ids) || json_array_size(ids) == 0 || json_array_size(ids) > VOICE_IDS_PER_SOUND)
            return err_set(err, ERR_INPUT, "phoneme_id_map: '%s' has no list of 1 to %d numbers", key, VOICE_IDS_PER_SOUND);
        for (size_t i = 0; i < json_array_size(ids); i++) {
            const json_t *id = json_array_get(ids, i);
            if (!json_is_integer(id) || json_integer_value(id) < 0)
                return err_set(err, ERR_INPUT, "phoneme_id_map: '%s' has no number", key);
            s->ids[i] = json_integer_value(id);
        }
        s->cp = (int32_t)cp;
        s->n_ids = (int)json_array_size(ids);
        v->n_sounds++;
    }
    qsort(v->sounds, (size_t)v->n_sounds, sizeof(*v->sounds), compare_cp);
    return true;
}

static bool read_speakers(struct voice *v, const json_t *root, struct err *err)
{
    const json_t *count = json_object_get(root, "num_speakers"), *map = json_object_get(root, "speaker_id_map");
    const char *key;
    json_t *id;
    const json_int_t n = json_is_integer(count) ? json_integer_value(count) : 1;
    if (n < 0 || n > VOICE_SPEAKERS_MAX || json_object_size(map) > VOICE_SPEAKERS_MAX)
        return err_set(err, ERR_INPUT, "num_speakers: between 0 and %d is wanted", VOICE_SPEAKERS_MAX);
    v->n_speakers = (int)n;
    if (json_object_size(map) == 0)
        return true;
    v->speaker_names = calloc(json_object_size(map), sizeof(*v->speaker_names));
    v->speaker_ids = calloc(json_object_size(map), sizeof(*v->speaker_ids));
    if (!v->speaker_names || !v->speaker_ids)
        return err_set(err, ERR_NOMEM, "speaker_id_map: no memory");
    json_object_foreach((json_t *)(uintptr_t)map, key, id) {
        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= n)
            return err_set(err, ERR_INPUT, "speaker_id_map: '%.40s' has no number below %d", key, v->n_speakers);
        v->speaker_ids[v->n_speaker_names] = json_integer_value(id);
        if (!(v->speaker_names[v->n_speaker_names] = strdup(key)))
            return err_set(err, ERR_NOMEM, "speaker_id_map: no memory");
        v->n_speaker_names++;
    }
    return true;
}

static bool read_scale(const json_t *map, const char *key, double *out, struct err *err)
{
    const json_t *v = json_object_get(map, key);
    if (!v)
        return true;
    if (!json_is_number(v) || !(json_number_value(v) >= 0 && json_number_value(v) <= 10))
        return err_set(err, ERR_INPUT, "inference.%s: between 0 and 10 is wanted", key);
    *out = json_number_value(v);
    return true;
}

static bool read_root(struct voice *v, const json_t *root, struct err *err)
{
    const json_t *rate = json_object_get(json_object_get(root, "audio"), "sample_rate"), *inference = json_object_get(root, "inference");
    const char *type = json_string_value(json_object_get(root, "phoneme_type"));
    const char *voice = json_string_value(json_object_get(json_object_get(root, "espeak"), "voice"));
    *v = (struct voice) { .rate_hz = 22050, .noise = 0.667, .length = 1, .noise_w = 0.8 };
    if (rate && (!json_is_integer(rate) || json_integer_value(rate) < 1000 || json_integer_value(rate) > SPEAK_RATE_MAX_HZ))
        return err_set(err, ERR_INPUT, "audio.sample_rate: between 1000 and %d is wanted", SPEAK_RATE_MAX_HZ);
    if (rate)
        v->rate_hz = (int)json_integer_value(rate);
    v->by_letters = type && strcmp(type, "text") == 0;
    if (type && !v->by_letters && strcmp(type, "espeak") != 0)
        return err_set(err, ERR_UNSUPPORTED, "phoneme_type: '%.32s' is neither espeak nor text", type);
    if (!v->by_letters && (!voice || !speak_name_ok(voice, sizeof(v->espeak_voice) - 1)))
        return err_set(err, ERR_INPUT, "espeak.voice: the name of a voice of espeak-ng is wanted");
    if (voice && strlen(voice) < sizeof(v->espeak_voice))
        memcpy(v->espeak_voice, voice, strlen(voice) + 1);
    return read_scale(inference, "noise_scale", &v->noise, err) && read_scale(inference, "length_scale", &v->length, err) &&
           read_scale(inference, "noise_w", &v->noise_w, err) && read_sounds(v, json_object_get(root, "phoneme_id_map"), err) &&
           read_speakers(v, root, err);
}

bool voice_parse(struct voice *v, const char *json, size_t n, struct err *err)
{
    json_error_t why;
    memset(v, 0, sizeof(*v));
    json_t *root = json_loadb(json, n, JSON_REJECT_DUPLICATES, &why);
    if (!root)
        return err_set(err, ERR_INPUT, "line %d: %s", why.line, why.text);
    const bool good = read_root(v, root, err);
    json_decref(root);
    if (!good)
        voice_fini(v);
    return good;
}

bool voice_read(struct voice *v, const char *path, struct err *err)
{
    size_t n;
    memset(v, 0, sizeof(*v));
    char *text = file_read(path, 16 << 20, &n, err);
    if (!text)
        return false;
    const bool good = voice_parse(v, text, n, err) || err_prefix(err, "%s", path);
    free(text);
    return good;
}

void voice_fini(struct voice *v)
{
    for (int i = 0; i < v->n_speaker_names; i++)
        free(v->speaker_names[i]);
    free(v->speaker_names);
    free(v->speaker_ids);
    free(v->sounds);
    memset(v, 0, sizeof(*v));
}

int64_t voice_find_speaker(const struct voice *v, const char *name)
{
    for (int i = 0; i < v->n_speaker_names; i++)
        if (strcmp(v->speaker_names[i], name) == 0)
            return v->speaker_ids[i];
    char *end;
    const long long n = strtoll(name, &end, 10);
    return *name && *end == '\0' && n >= 0 && n < v->n_speakers ? n : -1;
}

static const struct voice_sound *find_sound(const struct voice *v, int32_t cp)
{
    const struct voice_sound key = { .cp = cp };
    return bsearch(&key, v->sounds, (size_t)v->n_sounds, sizeof(*v->sounds), compare_cp);
}

static void put(const struct voice_sound *s, int64_t *ids, int *n)
{
    for (int i = 0; s && i < s->n_ids && *n < VOICE_IDS_MAX; i++)
        ids[(*n)++] = s->ids[i];
}

int voice_ids(const struct voice *v, const struct phonemes *p, int64_t *ids)
{
    const struct voice_sound *pad = find_sound(v, '_');
    int n = 0, n_known = 0;
    put(find_sound(v, '^'), ids, &n);
    if (n > 0)
        put(pad, ids, &n);
    for (int i = 0; i < p->n; i++) {
        const struct voice_sound *s = find_sound(v, p->cp[i]);
        if (!s)
            continue;
        n_known++;
        put(s, ids, &n);
        put(pad, ids, &n);
    }
    put(find_sound(v, '$'), ids, &n);
    return n_known ? n : 0;
}
