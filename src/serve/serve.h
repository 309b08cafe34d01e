/* serve/serve.h - the service: experts behind an HTTP port, from the first byte to the last signal.
 *
 * For:     cmd/serve.c, tests.
 * Callers: cmd/.
 * Touches: the network, signals, the key file, the certificate.  Thread: the caller's runs the loop; serve_stop() from any.
 * Rule:    listens as soon as serve_new() returns, whatever the models do.  Beyond loopback only with keys.
 *          SIGTERM and SIGINT let what runs finish and refuse what is new; a second one ends at once.
 *          SIGHUP reads the key file and the certificate again.
 * Start:   serve.c (life), front.c (which request goes where, who may ask).
 */
#ifndef TUTTI_SERVE_SERVE_H
#define TUTTI_SERVE_SERVE_H
#include "base/err.h"
#include "expert/expert.h"
#include "net/http.h"

struct serve_alias {
    const char *name, *expert; /* borrowed until serve_free() */
};

enum { SERVE_LISTENS_MAX = 8 };
struct keeper;
struct router_env;
struct steward;
struct cluster;
struct net_loop;
struct trust;

struct serve_node { /* this process as one of many; borrowed until serve_free() */
    const char *name;
    uint64_t life;             /* node_draw_life() */
    bool listens;
    struct net_addr listen;    /* for nodes */
    struct trust *trust;       /* NULL: in the clear, and then only on loopback */
    const char *const *urls;   /* of others: where a certificate might be renewed */
    int n_urls;
    const char *machine_json;  /* NULL */
    const char *share_dir;     /* NULL: no model files for others */
    struct cluster *cluster;   /* the others; NULL: it is seen and sees nobody */
    struct net_loop *loop;     /* the service runs this one, which is the cluster's, too; NULL: one of its own */
};

struct serve_config {
    struct net_addr listen;    /* the first; serve_addr() tells the port that the system chose */
    struct net_addr more[SERVE_LISTENS_MAX - 1];
    int n_more;
    const char *key_file;      /* NULL: none; borrowed until serve_free() */
    const char *tls_cert, *tls_key; /* PEM files, NULL: clear text; borrowed like key_file */
    struct expert **experts;   /* borrowed until serve_free() */
    int n_experts;
    struct expert *const *warm; /* of these the ones that are loaded at the start: not ready before; borrowed like experts */
    int n_warm;
    bool handles_signals;      /* SIGTERM, SIGINT, SIGHUP; systemd's sockets and notifications */
    struct behind *behind;     /* told when no model is being loaded any more; NULL; borrowed like experts */
    struct keeper *keeper;     /* whose figures the metrics show; NULL: none; borrowed like experts */
    const struct serve_alias *aliases; /* borrowed until serve_free() */
    int n_aliases;
    const struct router_env *route; /* how "auto" chooses; NULL: defaults; what it points to is borrowed like experts */
    struct steward *steward;   /* whose telemetry the metrics show; NULL: none; borrowed like experts */
    const char *sensors;       /* the root of what the metrics say of the machine; NULL: this machine */
    const char *models_dir;    /* whose disk they watch; NULL: none */
    bool allows_remote_images; /* addresses of pictures in chat messages go on to experts that see */
    uint64_t max_image_px;     /* zero means the default, here and below: no limit of our own */
    uint64_t max_bodies_bytes; /* of all requests together */
    double max_audio_s;
    int max_requests;          /* that wait or run */
    uint32_t load_wait_ms;
    const struct serve_node *node; /* NULL: it is alone */
    struct http_server_config http;
};

struct serve;
/* Owned by the caller.  NULL with err. */
struct serve *serve_new(const struct serve_config *config, struct err *err);
const struct net_addr *serve_addr(const struct serve *s);
/* Where it listens for nodes; NULL: nowhere. */
const struct net_addr *serve_node_addr(const struct serve *s);
/* Until it was stopped and drained.  false when every model went down while loading (each said why). */
bool serve_run(struct serve *s);
/* Was it stopped twice, or while a model was still being loaded?  Then there is nothing worth waiting for. */
bool serve_is_hasty(const struct serve *s);
/* What `auto` is; NULL: there is no expert.  Borrowed until serve_free(). */
struct router *serve_router(struct serve *s);
/* As SIGTERM does.  Any thread. */
void serve_stop(struct serve *s);
/* Ends what is left; stops the experts (which the caller frees afterwards).  NULL is fine. */
void serve_free(struct serve *s);
#endif
