/* cluster/file_hash.c - see file_hash.h. */
#include "cluster/file_hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20 };

struct file_hash {
    EVP_MD_CTX *md;
};

struct file_hash *file_hash_new(struct err *err)
{
    struct file_hash *h = calloc(1, sizeof(*h));
    if (h && (h->md = EVP_MD_CTX_new()) && EVP_DigestInit_ex(h->md, EVP_sha256(), NULL) == 1)
        return h;
    file_hash_free(h);
    return err_null(err, ERR_NOMEM, "SHA-256: out of memory");
}

void file_hash_free(struct file_hash *h)
{
    if (h)
        EVP_MD_CTX_free(h->md);
    free(h);
}

bool file_hash_add(struct file_hash *h, const void *bytes, size_t n) { return EVP_DigestUpdate(h->md, bytes, n) == 1; }
bool file_hash_end(struct file_hash *h, unsigned char out[FILE_HASH_BYTES]) { return EVP_DigestFinal_ex(h->md, out, NULL) == 1; }

bool file_hash_add_file(struct file_hash *h, int fd, uint64_t n, const _Atomic bool *should_stop, struct err *err)
{
    char *bytes = malloc(READ_BYTES);
    bool ok = bytes != NULL || err_set(err, ERR_NOMEM, "SHA-256: out of memory");
    for (uint64_t at = 0; ok && at < n;) {
        const ssize_t got = pread(fd, bytes, n - at < READ_BYTES ? (size_t)(n - at) : READ_BYTES, (off_t)at);
        if (should_stop && *should_stop)
            ok = err_set(err, ERR_CANCELLED, "nobody wants it any more");
        else if (got <= 0)
            ok = (got < 0 && errno == EINTR) || err_set(err, ERR_IO, "%s", got < 0 ? strerror(errno) : "the file became shorter");
        else if (!file_hash_add(h, bytes, (size_t)got))
            ok = err_set(err, ERR_INTERNAL, "SHA-256 failed");
        else
            at += (uint64_t)got;
    }
    free(bytes);
    return ok;
}
