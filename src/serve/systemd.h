/* serve/systemd.h - the little that systemd wants: sockets from it, a word to it.
 *
 * For:     serve/.  Touches: the environment, NOTIFY_SOCKET.
 */
#ifndef TUTTI_SERVE_SYSTEMD_H
#define TUTTI_SERVE_SYSTEMD_H

/* How many listening sockets it handed over (from descriptor 3 on); 0 without socket activation. */
int systemd_n_sockets(void);
enum { SYSTEMD_FIRST_FD = 3 };
/* "READY=1", "STOPPING=1", ...; nothing happens without NOTIFY_SOCKET. */
void systemd_notify(const char *state);
#endif
