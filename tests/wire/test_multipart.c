/* tests/wire/test_multipart.c - forms and data URLs: what is read, what is refused and with which words. */
#include "wire/multipart.h"
#include "test.h"

#include <string.h>

#include "wire/data_url.h"

#define TYPE "multipart/form-data; boundary=b"
#define FIELD(name) "--b\r\nContent-Disposition: form-data; name=\"" name "\"\r\n\r\n"

static struct multipart m;

static bool parse(const char *type, const char *body, struct err *err) { return multipart_parse(&m, type, body, strlen(body), err); }

TEST(a_form_is_cut_into_its_parts)
{
    struct err err = { 0 };
    static const char body[] = "preamble\r\n" FIELD("model") "whisper\r\n"
                               "--b\r\ncontent-type: AUDIO/Wav; codecs=1\r\nContent-Disposition: form-data; filename=\"a \\\"b\\\" %22.wav\"; name=\"file\"\r\n"
                               "X-Else: 1\r\n\r\nRI\r\nFF\r\n--c\r\n\r\n--b \t\r\nContent-Disposition: form-data; name=e\r\n\r\n\r\n--b--\r\nepilogue";
    REQUIRE(multipart_parse(&m, "Multipart/Form-Data;charset=x; boundary=\"b\"", body, sizeof(body) - 1, &err), "%s", err.text);
    REQUIRE(m.n_parts == 3, "%d", m.n_parts);
    CHECK(strcmp(m.parts[0].name, "model") == 0 && m.parts[0].n == 7 && memcmp(m.parts[0].data, "whisper", 7) == 0 && !m.parts[0].filename[0]);
    CHECK(strcmp(m.parts[1].name, "file") == 0 && strcmp(m.parts[1].filename, "a \"b\" \".wav") == 0, "%s", m.parts[1].filename);
    CHECK(strcmp(m.parts[1].type, "audio/wav") == 0, "%s", m.parts[1].type);
    CHECK(m.parts[1].n == 13 && memcmp(m.parts[1].data, "RI\r\nFF\r\n--c\r\n", 13) == 0, "%zu", m.parts[1].n);
    CHECK(strcmp(m.parts[2].name, "e") == 0 && m.parts[2].n == 0);
}

TEST(an_empty_field_may_end_with_its_head)
{
    struct err err = { 0 };
    REQUIRE(parse(TYPE, FIELD("a") "--b--", &err), "%s", err.text);
    CHECK(m.n_parts == 1 && m.parts[0].n == 0);
    REQUIRE(parse(TYPE, "--b--\r\n", &err), "%s", err.text);
    CHECK(m.n_parts == 0);
}

TEST(what_is_no_form_is_refused_with_its_place)
{
    static const struct {
        const char *type, *body, *words;
    } bad[] = {
        { "multipart/form-data", FIELD("a") "\r\n--b--", "boundary=" },
        { "multipart/form-data; boundary=", FIELD("a") "\r\n--b--", "boundary=" },
        { "multipart/form-data; boundary=\"b", FIELD("a") "\r\n--b--", "boundary=" },
        { "multipart/form-data; boundary=\"b\"\"", "", "not in the body" },
        { "multipart/form-data; boundary=b<", FIELD("a") "\r\n--b--", "letters" },
        { "multipart/form-data; boundary=01234567890123456789012345678901234567890123456789012345678901234567890", "", "1 to 70" },
        { TYPE, "", "not in the body" },
        { TYPE, "x--b--", "not in the body" },
        { TYPE, "--b", "line end" },
        { TYPE, "--bx\r\n", "line end" },
        { TYPE, FIELD("a") "x", "'a': the body ends" },
        { TYPE, FIELD("a") "x\r\n--c--", "'a': the body ends" },
        { TYPE, FIELD("") "\r\n--b--", "name is missing" },
        { TYPE, "--b\r\n\r\nx\r\n--b--", "byte 5: a part without content-disposition" },
        { TYPE, "--b\r\nContent-Disposition: attachment; name=\"a\"\r\n\r\nx\r\n--b--", "form-data is wanted" },
        { TYPE, "--b\r\nContent-Disposition: form-data; name=\"a\r\n\r\nx\r\n--b--", "closing quote" },
        { TYPE, "--b\r\nContent-Disposition: form-data; name=\"0123456789012345678901234567890123456789012345678901234567890123\"\r\n\r\n\r\n--b--", "too long" },
        { TYPE, "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=b\r\n\r\n\r\n--b--", "twice" },
        { TYPE, "--b\r\nContent-Disposition: form-data; name=a\r\nContent-Transfer-Encoding: base64\r\n\r\n\r\n--b--", "only binary" },
        { TYPE, "--b\r\nnonsense\r\n\r\n\r\n--b--", "NAME: VALUE" },
        { TYPE, "--b\r\nA: 1\r\n", "does not end" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        CHECK(!parse(bad[i].type, bad[i].body, &err), "accepted: %s", bad[i].body);
        CHECK(err.code == ERR_INPUT && strstr(err.text, bad[i].words), "%s: '%s'", bad[i].body, err.text);
    }
}

TEST(fields_and_heads_are_bounded)
{
    struct err err = { 0 };
    static char body[1 << 16];
    size_t n = 0;
    for (int i = 0; i < MULTIPART_PARTS_MAX + 1; i++)
        n += (size_t)snprintf(body + n, sizeof(body) - n, "%s" FIELD("a") "x", i ? "\r\n" : "");
    snprintf(body + n, sizeof(body) - n, "\r\n--b--");
    CHECK(!parse(TYPE, body, &err) && err.code == ERR_LIMIT, "%s", err.text);
    n = (size_t)snprintf(body, sizeof(body), "--b\r\nX: ");
    memset(body + n, 'x', 5000);
    strcpy(body + n + 5000, "\r\nContent-Disposition: form-data; name=a\r\n\r\n\r\n--b--");
    CHECK(!parse(TYPE, body, &err) && strstr(err.text, "does not end"), "%s", err.text);
}

TEST(only_forms_are_taken_for_forms)
{
    CHECK(multipart_is("multipart/form-data; boundary=x") && multipart_is("MULTIPART/FORM-DATA"));
    CHECK(!multipart_is("multipart/form-databoundary") && !multipart_is("multipart/mixed; boundary=x") && !multipart_is("") && !multipart_is(NULL));
}

/* ---- data URLs ---- */

TEST(base64_is_decoded_as_the_standard_says)
{
    static const struct {
        const char *in, *out; /* NULL: refused */
    } table[] = { /* RFC 4648, section 10 */
        { "", "" }, { "Zg==", "f" }, { "Zm8=", "fo" }, { "Zm9v", "foo" }, { "Zm9vYg==", "foob" }, { "Zm9vYmE=", "fooba" }, { "Zm9vYmFy", "foobar" },
        { "Zm9vYg", "foob" }, { "Zm9v\r\nYmE=", "fooba" }, { "-_-_", "\xfb\xff\xbf" }, { "+/+/", "\xfb\xff\xbf" },
        { "Zm9vY", NULL }, { "Zg=", NULL }, { "Zg===", NULL }, { "Z===", NULL }, { "=", NULL }, { "Zg==Zg==", NULL }, { "Zh==", NULL }, { "Zm9=", NULL }, { "Zm9v!", NULL }, { "Zm\xc3\xa9v", NULL },
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct err err = { 0 };
        char out[64];
        size_t n = 99;
        const bool ok = base64_decode(table[i].in, strlen(table[i].in), out, &n, &err);
        CHECK(ok == (table[i].out != NULL), "'%s': %s", table[i].in, err.text);
        if (ok && table[i].out)
            CHECK(n == strlen(table[i].out) && memcmp(out, table[i].out, n) == 0 && n <= base64_max_bytes(strlen(table[i].in)), "'%s': %zu bytes", table[i].in, n);
    }
}

TEST(data_urls_say_what_they_hold)
{
    struct data_url u;
    struct err err = { 0 };
    char out[64];
    size_t n;
    static const char png[] = "data:image/PNG;base64,aGk=", text[] = "DATA:,a%20b";
    REQUIRE(data_url_read(&u, png, strlen(png), &err), "%s", err.text);
    CHECK(strcmp(u.type, "image/png") == 0 && u.is_base64 && data_url_decode(&u, out, &n, &err) && n == 2 && memcmp(out, "hi", 2) == 0, "%s", err.text);
    REQUIRE(data_url_read(&u, text, strlen(text), &err), "%s", err.text);
    CHECK(!u.type[0] && !u.is_base64 && data_url_decode(&u, out, &n, &err) && n == 3 && memcmp(out, "a b", 3) == 0, "%s", err.text);
    CHECK(!data_url_read(&u, "data:image/png;base64", 21, &err) && strstr(err.text, "','"), "%s", err.text);
    CHECK(!data_url_read(&u, "http://x/,", 10, &err), "%s", err.text);
    REQUIRE(data_url_read(&u, "data:,%4", 8, &err), "%s", err.text);
    CHECK(!data_url_decode(&u, out, &n, &err) && strstr(err.text, "digits"), "%s", err.text);
}
