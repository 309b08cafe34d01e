/* cmd/trust_here.h - what `tutti cluster init|token|revoke|trust` and `tutti node join|renew` share: which folder, which name, how long.
 *          And what `tutti doctor` says of it.
 *
 * For:     cmd/ alone.
 */
#ifndef TUTTI_CMD_TRUST_HERE_H
#define TUTTI_CMD_TRUST_HERE_H
#include "advise/doctor.h"
#include "cluster/trust.h"
#include "cmd/cmd.h"

/* --dir, else the default. */
bool trust_here_dir(const struct cmd_opt *opts, char out[TRUST_PATH_MAX], struct err *err);
/* --name, else this machine's name up to its first dot, in lower case. */
bool trust_here_name(const struct cmd_opt *opts, char out[TRUST_NAME_MAX], struct err *err);
/* For --if-needed: is there a certificate of that name already? */
bool trust_here_is_member(const char *dir, const char *name);
/* "90s", "30m", "1h", "7d". */
bool trust_here_seconds(const char *text, uint64_t *seconds, struct err *err);
/* Is the certificate of the default folder over, or longer due than `tutti serve` would let it be? */
bool trust_here_finding(struct doctor_finding *out);
void trust_here_put_time(char out[32], uint64_t unix_s); /* "2026-11-21 22:00 UTC" */
#endif
