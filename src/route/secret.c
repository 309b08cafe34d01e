/* route/secret.c - each kind of secret is a few lines; their list is enum feature_secret. */
#include "route/secret.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "route/features.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }
static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
static bool is_key_char(char c) { return is_digit(c) || is_letter(c) || c == '_' || c == '-'; }

/* Digits from s on, single spaces, dots and dashes between them; returns their number, at most max. */
static int collect_digits(const char *s, size_t n, char *digits, int max)
{
    int k = 0;
    for (size_t i = 0; i < n && i < SECRET_SPAN_BYTES && k < max; i++) {
        if (is_digit(s[i]))
            digits[k++] = s[i];
        else if ((s[i] != ' ' && s[i] != '-') || i + 1 >= n || !is_digit(s[i + 1]))
            break;
    }
    return k;
}
/* ISO/IEC 7812-1 annex B. */
static bool luhn_holds(const char *digits, int n)
{
    int sum = 0;
    for (int i = 0; i < n; i++) {
        int d = digits[n - 1 - i] - '0';
        if (i & 1)
            d = d > 4 ? 2 * d - 9 : 2 * d;
        sum += d;
    }
    return sum % 10 == 0;
}
/* ISO 13616: the first four go to the end, letters are 10..35, the rest modulo 97 is 1. */
static bool iban_holds(const char *s, size_t n)
{
    char t[35];
    int k = 0;
    unsigned rest = 0;
    for (size_t i = 0; i < n && i < SECRET_SPAN_BYTES && k < 34; i++) {
        if (is_digit(s[i]) || (s[i] >= 'A' && s[i] <= 'Z'))
            t[k++] = s[i];
        else if (s[i] != ' ' || i + 1 >= n || (!is_digit(s[i + 1]) && !(s[i + 1] >= 'A' && s[i + 1] <= 'Z')))
            break;
    }
    if (k < 15 || !is_letter(t[0]) || !is_letter(t[1]) || !is_digit(t[2]) || !is_digit(t[3]))
        return false;
    for (int i = 0; i < k; i++) {
        const char c = t[(i + 4) % k];
        rest = is_digit(c) ? (rest * 10 + (unsigned)(c - '0')) % 97 : (rest * 100 + (unsigned)(c - 'A') + 10) % 97;
    }
    return rest == 1;
}

static const struct {
    const char *prefix;
    int min_bytes; /* of key characters behind it */
} keys[] = {
    { "sk-", 16 }, { "sk_live_", 10 }, { "rk_live_", 10 }, { "ghp_", 20 }, { "gho_", 20 }, { "github_pat_", 20 }, { "glpat-", 16 },
    { "hf_", 20 }, { "AKIA", 16 }, { "ASIA", 16 }, { "AIza", 30 }, { "xoxb-", 10 }, { "xoxp-", 10 }, { "eyJ", 30 },
};
static const char *const pass_words[] = { "password", "passwd", "passwort", "kennwort", "passphrase", "contrase\303\261a", "mot de passe", "wachtwoord",
                                          "senha", "api_key", "apikey", "api-key", "secret", "secret_key", "access_token", "pin" };

uint32_t secret_in_word(const char *s, size_t n)
{
    if (n < 5)
        return 0;
    switch (s[0]) {
    case 's': case 'r': case 'g': case 'h': case 'A': case 'x': case 'e':
        for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
            if (keys[i].prefix[0] != s[0] || keys[i].prefix[1] != s[1])
                continue;
            const size_t len = strlen(keys[i].prefix);
            if (n < len + (size_t)keys[i].min_bytes || memcmp(s, keys[i].prefix, len) != 0)
                continue;
            int k = 0;
            while (k < keys[i].min_bytes && is_key_char(s[len + (size_t)k]))
                k++;
            if (k == keys[i].min_bytes)
                return SECRET_KEY;
        }
        break;
    default: break;
    }
    if (n >= 15 && s[0] >= 'A' && s[0] <= 'Z' && s[1] >= 'A' && s[1] <= 'Z' && is_digit(s[2]) && is_digit(s[3]) && iban_holds(s, n))
        return SECRET_IBAN;
    return 0;
}

uint32_t secret_before_value(const char *s, size_t n, size_t at)
{
    size_t end = at, value = at + 1;
    while (end > 0 && at - end < 2 && (s[end - 1] == ' ' || s[end - 1] == '"'))
        end--;
    while (value < n && value < at + 4 && (s[value] == ' ' || s[value] == '"' || s[value] == '\''))
        value++;
    if (value >= n || s[value] <= ' ')
        return 0;
    for (size_t i = 0; i < sizeof(pass_words) / sizeof(pass_words[0]); i++) {
        const size_t len = strlen(pass_words[i]);
        if (end < len || (s[end - len] | 32) != pass_words[i][0] || (s[end - 1] | 32) != pass_words[i][len - 1])
            continue;
        if (strncasecmp(s + end - len, pass_words[i], len) == 0 && (end == len || !(is_letter(s[end - len - 1]) || is_digit(s[end - len - 1]))))
            return SECRET_PASSWORD;
    }
    return 0;
}

uint32_t secret_in_number(const char *s, size_t n)
{
    char digits[20];
    if (s[0] == '+') {
        const int k = collect_digits(s + 1, n - 1, digits, 16);
        return k >= 9 && k <= 15 ? SECRET_PHONE : 0;
    }
    if (s[0] == '(') {
        if (n >= 13 && is_digit(s[1]) && is_digit(s[2]) && is_digit(s[3]) && s[4] == ')') {
            const size_t at = s[5] == ' ' ? 6 : 5;
            return collect_digits(s + at, n - at, digits, 8) == 7 ? SECRET_PHONE : 0;
        }
        return 0;
    }
    if (n >= 11 && s[3] == '-' && s[6] == '-' && (n == 11 || !is_digit(s[11])) && collect_digits(s, 11, digits, 10) == 9)
        return SECRET_ID;
    const int k = collect_digits(s, n, digits, 20);
    return k >= 13 && k <= 19 && digits[0] != '0' && luhn_holds(digits, k) ? SECRET_CARD : 0;
}

uint32_t secret_in_address(const char *s, size_t n, size_t at)
{
    size_t i = at + 1;
    bool has_dot = false;
    if (at == 0 || !is_key_char(s[at - 1]))
        return 0;
    for (; i < n && i < at + SECRET_SPAN_BYTES && (is_key_char(s[i]) || s[i] == '.'); i++)
        has_dot |= s[i] == '.' && i > at + 1 && i + 2 < n && is_letter(s[i + 1]) && is_letter(s[i + 2]);
    return has_dot ? SECRET_EMAIL : 0;
}
