/* cmd/ask.h - one question to a running service: GET, and wait for the answer.
 *
 * For:     `tutti cluster status`, who else shows what a service knows.
 * Callers: cmd/.
 * Touches: the network.  Thread: the caller's, which waits 5 s at most.
 */
#ifndef TUTTI_CMD_ASK_H
#define TUTTI_CMD_ASK_H
#include "base/buf.h"
#include "base/err.h"

#define ASK_DEFAULT_URL "http://127.0.0.1:8080"
/* url: of the service; key_file: its first key is sent (NULL: none).  Appends the body of a 200.  false with err: nobody is there, another
 * status (with the answer's own words). */
bool ask_service(const char *url, const char *path, const char *key_file, struct buf *body, struct err *err);
#endif
