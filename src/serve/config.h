/* serve/config.h - tutti.yaml: what a service serves, where it listens, what it allows.
 *
 * For:     cmd/serve.c, cmd/config.c.
 * Callers: cmd/, serve/.
 * Touches: the file, the environment (where the default file lies).
 * Rule:    a setting is one line of a table (CONFIG_SETTINGS): key, kind, default, limits, help; it remembers where its
 *          value came from.  What is misspelt or out of range is an error with file, line, column and the nearest key.
 *          Relative paths are relative to the file; "~/" is the home folder.
 * Start:   config.c; what a list of experts means is registry.h.
 */
#ifndef TUTTI_SERVE_CONFIG_H
#define TUTTI_SERVE_CONFIG_H
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/yaml.h"

/* name, section ("" for none), key, kind, default, least, most, help.  ORDER CONFIG */
#define CONFIG_SETTINGS(X)                                                                                             \
    X(MODELS, "", "models", PATH, NULL, 0, 0, "folder where cards look for their files first")                         \
    X(KEYS, "", "keys", PATH, NULL, 0, 0, "keys that clients must send, one per line; needed beyond loopback")         \
    X(TLS_CERT, "tls", "cert", PATH, NULL, 0, 0, "certificate chain (PEM); all listeners speak TLS then")              \
    X(TLS_KEY, "tls", "key", PATH, NULL, 0, 0, "its private key (PEM)")                                                \
    X(MEMORY, "", "memory", BYTES, "0", 0, 0, "most memory of all experts together; 0: what the machine can spare")    \
    X(PRESET, "", "preset", TEXT, NULL, 0, 0, "preset of data/runtimes.csv for ONNX models; none: no preset")          \
    X(ONNXRUNTIME, "", "onnxruntime", PATH, NULL, 0, 0, "libonnxruntime.so; searched when it is not said")             \
    X(CACHE, "", "cache", PATH, NULL, 0, 0, "folder for compiled models; nothing is kept without")                     \
    X(DATA, "", "data", PATH, NULL, 0, 0, "folder of your own data: enrolled faces")                                   \
    X(REMOTE_IMAGES, "", "allow_remote_images", BOOL, "false", 0, 0, "pass addresses of pictures on to experts that fetch them") \
    X(KEEP_DECISIONS, "", "keep_decisions", BOOL, "true", 0, 0, "what auto decided and what came of it (never prompts), for `tutti route why`") \
    X(CTX, "llm", "ctx", COUNT, "0", 0, 1 << 20, "tokens of the longest conversation; 0: by the model")                \
    X(THREADS, "llm", "threads", COUNT, "0", 0, 1024, "threads for each model; 0: one per core")                       \
    X(PARALLEL, "llm", "parallel", COUNT, "0", 0, 256, "answers at a time for each model; 0: 8")                       \
    X(KV_Q8, "llm", "kv_q8", BOOL, "false", 0, 0, "keep the K/V cache in 8 bits: half the memory")                     \
    X(SPECULATE, "llm", "speculate", TEXT, "auto", 0, 0, "tokens guessed ahead of each answer: auto, off or a number")  \
    X(PREFIX_CACHE, "llm", "prefix_cache", PATH, NULL, 0, 0, "folder for the K/V of prompts' common beginnings, kept over restarts (examples/tutti.yaml); nothing is kept without") \
    X(PREFIX_BYTES, "llm", "prefix_bytes", BYTES, "1073741824", 1 << 20, 0, "most bytes of that for each model")      \
    X(GOVERNOR, "governor", "enabled", BOOL, "true", 0, 0, "do less while the machine is hot, full, on a low battery (docs/governor.md)") \
    X(POWER, "governor", "power", COUNT, "0", 0, 100000, "watts that the machine may draw, where it has a meter; 0: no cap")       \
    X(SENSORS, "governor", "sensors", PATH, NULL, 0, 0, "read the sensors below this folder instead of /: for rehearsals")          \
    X(NODE_NAME, "cluster", "name", TEXT, NULL, 0, 0, "name of this node among others: a-z, 0-9 and '-'; the machine's when it is not said")  \
    X(NODE_LISTEN, "cluster", "listen", TEXT, NULL, 0, 0, "ADDR:PORT for other nodes; beyond loopback only with trust (docs/nodes.md)") \
    X(NODE_MDNS, "cluster", "mdns", BOOL, "false", 0, 0, "find the nodes of this network, and be found (mDNS, _tutti._tcp)")  \
    X(NODE_TRUST, "cluster", "trust", PATH, NULL, 0, 0, "folder of this node's certificate (`tutti cluster init`, `tutti node join`)") \
    X(NODE_WAKE_TO, "cluster", "wake_to", TEXT, NULL, 0, 0, "ADDR:PORT of Wake-on-LAN packets; 255.255.255.255:9 when it is not said") \
    X(NODE_WAKE_WAIT, "cluster", "wake_wait", TIME, "90000", 1, 3600000, "how long a job waits for a node that is woken")                     \
    X(NODE_SHARE, "cluster", "share", PATH, NULL, 0, 0, "folder whose model files other nodes may fetch; none are without") \
    X(BODY, "limits", "body", BYTES, "33554432", 1024, 1 << 30, "largest body of a request")                           \
    X(BODIES, "limits", "bodies", BYTES, "1073741824", 1024, 0, "largest sum of the bodies of all requests that are there")  \
    X(IMAGE_PIXELS, "limits", "image_pixels", COUNT, "64000000", 1, 1000000000, "largest picture, width times height") \
    X(AUDIO, "limits", "audio", TIME, "14400000", 1000, 0, "longest sound that is listened to")                        \
    X(CONNECTIONS, "limits", "connections", COUNT, "4096", 1, 1000000, "most connections at a time")                   \
    X(QUEUE, "limits", "queue", COUNT, "4096", 1, 1000000, "requests that wait or run at a time; more are told 503")    \
    X(LOAD_WAIT, "limits", "load_wait", TIME, "120000", 1, 0, "how long a request waits for a model that is being loaded")

enum config_id {
#define X(name, section, key, kind, preset, min, max, help) CONFIG_##name,
    CONFIG_SETTINGS(X)
#undef X
        CONFIG_COUNT
};

enum config_from { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_OPTION, CONFIG_ENVIRONMENT };

struct config_value {
    enum config_from from;
    int line, column;  /* CONFIG_FILE */
    const char *text;  /* paths and texts; NULL: none.  Owned by the config, or borrowed from the command line */
    uint64_t number;   /* bytes, counts, milliseconds, 0 or 1 */
};

struct config_expert { /* one entry of `experts`; registry.c opens it */
    const struct yaml_node *node; /* NULL: from the command line */
    const char *path;  /* a file or folder; NULL: the node is the card */
    bool has_changes;  /* the node is a map with `card: PATH` and what shall be different */
};

struct policy; /* route/policy_settings.h */

struct config_alias {
    const char *name, *expert;
};

enum { CONFIG_LISTENS_MAX = 8, CONFIG_NODES_MAX = 64, CONFIG_EXPERTS_MAX = 256, CONFIG_ALIASES_MAX = 64, CONFIG_PATH_MAX = 1024 };

struct config {
    struct yaml *yaml; /* NULL: no file */
    const char *path;  /* NULL: no file */
    const char *dir;   /* of the file */
    struct arena *arena;
    struct config_value value[CONFIG_COUNT];
    const char *listen[CONFIG_LISTENS_MAX];
    int n_listens;
    struct config_value listen_from;
    struct config_expert experts[CONFIG_EXPERTS_MAX];
    int n_experts;
    struct config_alias aliases[CONFIG_ALIASES_MAX];
    int n_aliases;
    const char *nodes[CONFIG_NODES_MAX]; /* `cluster: nodes`: where others are (cluster/cluster.h, seeds) */
    int n_nodes;
    struct config_wake { const char *node, *mac; int i_node; /* in nodes */ } wakes[CONFIG_NODES_MAX]; /* of those: which can be woken, by name */
    int n_wakes;
    struct config_value nodes_from;
    const struct yaml_node *warm[CONFIG_EXPERTS_MAX]; /* `warm`: names of experts that are loaded at the start; registry_warm() */
    int n_warm;
    struct policy *policy; /* `route`: the router's (route/policy_yaml.h); the defaults when it is not said */
};

/* path NULL: the default file when it exists ($XDG_CONFIG_HOME/tutti/tutti.yaml, ~/.config/tutti/tutti.yaml), else defaults
 * alone.  The caller owns the result; it must outlive the experts that were opened by it.  NULL with err. */
struct config *config_read(const char *path, struct err *err);
struct config *config_parse(const char *name, const char *text, size_t n, const char *dir, struct err *err);
void config_free(struct config *c); /* NULL is fine */

const char *config_text(const struct config *c, enum config_id id);
uint64_t config_number(const struct config *c, enum config_id id);
/* From the command line: text, or number; wins over the file. */
void config_set_text(struct config *c, enum config_id id, const char *text);
void config_set_number(struct config *c, enum config_id id, uint64_t number);
void config_set_listen(struct config *c, const char *address);
/* One more node than the file's. */
bool config_add_node(struct config *c, const char *url, struct err *err);
/* Is it a node among others?  What `cluster` says about it, or the command line. */
bool config_has_cluster(const struct config *c);
/* The command line's experts instead of the file's. */
bool config_set_experts(struct config *c, int n, char *const *paths, struct err *err);

/* As YAML that can be read again, each line with where its value came from. */
void config_show(const struct config *c, struct buf *out);
/* "FILE:LINE:COLUMN: ..." */
bool config_fail(const struct config *c, const struct yaml_node *at, struct err *err, const char *fmt, ...) ERR_PRINTF(4, 5);
/* Absolute, or relative to the file; "~/" undone.  In the config's memory; NULL with err. */
const char *config_resolve(struct config *c, const char *path, struct err *err);
#endif
