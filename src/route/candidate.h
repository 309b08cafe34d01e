/* route/candidate.h - what the policy sees of the world: experts on nodes, what they can do, take, and how they fare now.
 *
 * For:     policy.c (chooses), predict.c (time, joules, money), governor.c (which rungs are allowed), simulate.c, router.c.
 * Callers: route/, pipeline/, api/, cmd/.
 * Touches: nothing: plain data of one moment.  Who makes it: fleet.c from a fleet file, router.c from live experts.
 * Rule:    not known is NAN (floats) or 0 (counts); units are in the names; nothing here owns memory.  A list is filled in once
 *          and then changed in place for each decision: no allocation.
 */
#ifndef TUTTI_ROUTE_CANDIDATE_H
#define TUTTI_ROUTE_CANDIDATE_H
#include <stdbool.h>
#include <stdint.h>

#include "expert/expert.h"

/* Classes of experts that share a ladder (data/ladder.csv).  ORDER ROUTE_CLASS */
#define ROUTE_CLASSES(X)                                                                             \
    X(LLM, "llm", EXPERT_CHAT | EXPERT_COMPLETE)                                                     \
    X(VISION, "vision", EXPERT_CLASSIFY | EXPERT_DETECT | EXPERT_FACES | EXPERT_SEGMENT | EXPERT_OCR | EXPERT_DESCRIBE | EXPERT_MOTION) \
    X(STT, "stt", EXPERT_TRANSCRIBE | EXPERT_VAD | EXPERT_WAKE | EXPERT_KEYWORD)                     \
    X(TTS, "tts", EXPERT_SPEAK)                                                                      \
    X(EMBED, "embed", EXPERT_EMBED | EXPERT_EMBED_IMAGE | EXPERT_INFER)
enum route_class {
#define X(id, word, tasks) ROUTE_CLASS_##id,
    ROUTE_CLASSES(X)
#undef X
        ROUTE_CLASS_COUNT
};
const char *route_class_name(enum route_class c); /* "llm" */
enum route_class route_class_of(unsigned tasks);  /* of the first class that does one of them */

/* ..._MAX: what a decision looks at (docs/decisions/0017-*.md); SLOTS: experts that one router knows at a time, on any number of nodes. */
enum { ROUTE_NODES_MAX = 64, ROUTE_CANDIDATES_MAX = 256, ROUTE_NAME_MAX = 128, ROUTE_SLOTS_MAX = 32768 };

struct route_node {
    char name[64];            /* "local", "jetson" */
    enum expert_privacy distance; /* this machine, a machine of the house, somebody else's */
    bool is_up;
    float rtt_s;              /* to it and back; 0: here */
    float link_bytes_s;       /* INFINITY: here */
    float idle_w;             /* drawn anyhow; NAN */
    float usd_per_kwh;        /* NAN: the policy's */
    bool is_throttled;
    /* telemetry (telemetry.h) */
    float temperature_c;      /* hottest sensor; NAN */
    float headroom_c;         /* below where it slows down; NAN */
    float power_w;            /* now; NAN */
    float battery_frac;       /* 0..1; NAN: has none */
    bool on_battery;
    float memory_free_bytes;  /* NAN */
    float pressure_frac;      /* memory PSI "some", 10 s: 0..1; NAN */
    float busy_frac;          /* CPU; NAN */
    /* governor.h: the first step of each class's ladder that may be used now; 0: all */
    uint8_t step[ROUTE_CLASS_COUNT];
};

struct candidate {
    char expert[ROUTE_NAME_MAX]; /* id */
    int node;                 /* index into the nodes */
    int slot;                 /* whose it is, 0..ROUTE_SLOTS_MAX-1: index in the list of whoever made it; predict.h keeps corrections by it */
    int kin;                  /* slot + 1 of the same expert elsewhere: what outcomes taught of answers is kept there; 0: its own */
    enum route_class cls;
    unsigned tasks;           /* bits of enum expert_task */
    bool sees, hears, knows_tools; /* CHAT: pictures; sound; tools */
    enum expert_privacy privacy; /* where what is sent to it goes */
    float quality;            /* tier 0..10; 0: not known */
    int n_ctx;                /* 0: not known or does not apply */
    /* what ladders go by */
    char kind[24];            /* of its card: "llm", "onnx", "espeak"; "" */
    bool is_accelerated;      /* on a GPU, an NPU or a stick, not on the CPU */
    double params;            /* weights; 0 */
    float bits;               /* per weight; 0 */
    int input_px;             /* longer side of what it sees; 0 */
    uint8_t step;             /* of its class's ladder, best first; set by ladder_place() */
    /* what it takes when it is warm and alone (from plan/, or measured) */
    float fixed_s;            /* before anything: hand-over, headers */
    float prefill_tok_s, decode_tok_s; /* text; 0: does not apply */
    float item_s;             /* for one picture, or one input */
    float sound_s_s;          /* seconds of work for a second of sound or speech */
    float load_s;             /* from cold */
    float busy_w;             /* above its node's idle power while it works; NAN */
    float usd_per_mtok_in, usd_per_mtok_out, usd_per_item; /* of a provider; 0: its own machine */
    bool is_measured;         /* speeds were measured on that node, not estimated */
    /* now */
    bool is_up, is_warm;
    int n_running, n_waiting, n_parallel; /* requests; n_parallel: at a time, at least 1 */
    float wait_s;             /* until a new request begins; NAN: reckoned from the counts */
    /* for the request at hand */
    uint32_t prefix_tok;      /* of its prompt, likely in the K/V cache */
    bool is_home;             /* of those nodes that are warm for this expert, the conversation's (live.h) */
};

struct candidates { /* one moment of the world */
    struct route_node *nodes; /* borrowed */
    int n_nodes;
    struct candidate *list;   /* borrowed */
    int n;
};
#endif
