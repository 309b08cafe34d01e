/* tests/cluster/test_device_plugin.c - the device plugin against a kubelet of this test's own, on one loop: registering, the list as it changes, allocating, a kubelet that
 * starts again, sticks that come, boot and go. */
#include "cluster/fake_machine.h"

#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/clock.h"
#include "cluster/device_plugin.h"
#include "gen/deviceplugin.pb-c.h"
#include "net/grpc_client.h"

enum { WAIT_MS = 20000 };

static struct err err;
static struct net_loop *loop;
static struct device_rules rules;

static bool late;
static void on_late(void *ctx) { (void)ctx, late = true; }
#define UNTIL(cond)                                                   \
    do {                                                              \
        struct net_timer *t_ = net_timer_new(loop, on_late, NULL, &err); \
        late = false;                                                 \
        net_timer_start(t_, WAIT_MS, 0);                              \
        while (!(cond) && !late)                                      \
            net_loop_step(loop);                                      \
        net_timer_free(t_);                                           \
        CHECK(!late, "waited for " #cond);                            \
    } while (0)

/* ---- a kubelet ---- */

static struct kubelet {
    struct http_server *server;
    char dir[400], endpoint[100], resource[100];
    int n_registered;
    bool refuses;
} kubelet;

struct registration {
    struct grpc_call *call;
};
static void reg_message(void *ctx, const void *bytes, size_t n)
{
    struct registration *r = ctx;
    V1beta1__RegisterRequest *m = v1beta1__register_request__unpack(NULL, n, bytes);
    if (!m || kubelet.refuses) {
        grpc_finish(r->call, GRPC_UNAVAILABLE, "not yet");
    } else {
        CHECK(strcmp(m->version, "v1beta1") == 0 && m->options && m->options->get_preferred_allocation_available && !m->options->pre_start_required);
        snprintf(kubelet.endpoint, sizeof(kubelet.endpoint), "%s", m->endpoint);
        snprintf(kubelet.resource, sizeof(kubelet.resource), "%s", m->resource_name);
        kubelet.n_registered++;
        grpc_send(r->call, "", 0);
        grpc_finish(r->call, GRPC_OK, NULL);
    }
    if (m)
        v1beta1__register_request__free_unpacked(m, NULL);
}
static void reg_close(void *ctx) { free(ctx); }
static void on_request(void *ctx, struct http_stream *s, const struct http_head *head)
{
    static const struct grpc_fns fns = { .on_message = reg_message, .on_close = reg_close };
    struct registration *r = calloc(1, sizeof(*r));
    (void)ctx;
    CHECK(strcmp(head->path, "/v1beta1.Registration/Register") == 0, "%s", head->path);
    r->call = grpc_accept(loop, s, head, 1 << 16, false, &fns, r);
}

static void kubelet_start(const char *dir)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    struct http_server_config config = { .on_request = on_request };
    snprintf(kubelet.dir, sizeof(kubelet.dir), "%s", dir);
    mkdir(dir, 0700);
    snprintf(to.sun_path, sizeof(to.sun_path), "%.90s/kubelet.sock", dir);
    unlink(to.sun_path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    REQUIRE(bind(fd, (const struct sockaddr *)&to, sizeof(to)) == 0, "%s", to.sun_path);
    kubelet.server = http_server_new(loop, &config, &err);
    REQUIRE(kubelet.server && http_server_listen_fd(kubelet.server, fd, NULL, &err), "%s", err.text);
}

/* Ends as the real one does when it starts again: all sockets of its folder are deleted. */
static void kubelet_stop(void)
{
    char command[600];
    http_server_free(kubelet.server);
    kubelet.server = NULL;
    snprintf(command, sizeof(command), "rm -f '%s'/*", kubelet.dir);
    CHECK(system(command) == 0);
}

/* ---- what it asks of the plugin ---- */

static struct watched {
    struct grpc_client_call *call;
    struct h2_client *client;
    V1beta1__ListAndWatchResponse *list;
    int n_lists;
    bool has_ended;
} watched;

static void list_message(void *ctx, const void *bytes, size_t n)
{
    (void)ctx;
    if (watched.list)
        v1beta1__list_and_watch_response__free_unpacked(watched.list, NULL);
    watched.list = v1beta1__list_and_watch_response__unpack(NULL, n, bytes);
    watched.n_lists++;
}
static void list_end(void *ctx, enum grpc_status status, const char *text)
{
    (void)ctx, (void)status, (void)text;
    watched.has_ended = true;
    watched.call = NULL;
}

static struct h2_client *to_plugin(void)
{
    struct http_target target;
    char url[600];
    snprintf(url, sizeof(url), "unix:%s/%s", kubelet.dir, kubelet.endpoint);
    return http_target_parse(&target, url, &err) ? h2_client_new(loop, &target, &(struct h2_client_config){ 0 }, &err) : NULL;
}

static void watch_list(void)
{
    static const struct grpc_client_fns fns = { .on_message = list_message, .on_end = list_end };
    watched = (struct watched){ .client = to_plugin() };
    REQUIRE(watched.client, "%s", err.text);
    watched.call = grpc_client_call(loop, watched.client, "/v1beta1.DevicePlugin/ListAndWatch", NULL, 0, 0, 1 << 20, &fns, NULL, &err);
    REQUIRE(watched.call, "%s", err.text);
    grpc_client_send(watched.call, "", 0);
    grpc_client_half_close(watched.call);
}
static void watch_end(void)
{
    grpc_client_cancel(watched.call);
    h2_client_free(watched.client);
    if (watched.list)
        v1beta1__list_and_watch_response__free_unpacked(watched.list, NULL);
    watched = (struct watched){ 0 };
}
static bool lists(size_t n, const char *health)
{
    size_t n_so = 0;
    for (size_t i = 0; watched.list && i < watched.list->n_devices; i++)
        n_so += strcmp(watched.list->devices[i]->health, health) == 0;
    return n_so == n;
}

static struct answer {
    enum grpc_status status;
    char text[200];
    unsigned char bytes[8192];
    size_t n;
    bool has_ended;
} answer;
static void answer_message(void *ctx, const void *bytes, size_t n)
{
    (void)ctx;
    answer.n = n < sizeof(answer.bytes) ? n : sizeof(answer.bytes);
    memcpy(answer.bytes, bytes, answer.n);
}
static void answer_end(void *ctx, enum grpc_status status, const char *text)
{
    (void)ctx;
    answer.status = status;
    snprintf(answer.text, sizeof(answer.text), "%s", text);
    answer.has_ended = true;
}
static void ask(const char *method, const void *bytes, size_t n)
{
    static const struct grpc_client_fns fns = { .on_message = answer_message, .on_end = answer_end };
    char path[100];
    struct h2_client *c = to_plugin();
    REQUIRE(c, "%s", err.text);
    memset(&answer, 0, sizeof(answer));
    snprintf(path, sizeof(path), "/v1beta1.DevicePlugin/%s", method);
    struct grpc_client_call *call = grpc_client_call(loop, c, path, NULL, 0, 0, 1 << 20, &fns, NULL, &err);
    REQUIRE(call, "%s", err.text);
    grpc_client_send(call, bytes, n);
    grpc_client_half_close(call);
    UNTIL(answer.has_ended);
    h2_client_free(c);
}
static void ask_allocate(int n, char **ids)
{
    V1beta1__ContainerAllocateRequest one = V1BETA1__CONTAINER_ALLOCATE_REQUEST__INIT, *list[] = { &one };
    V1beta1__AllocateRequest m = V1BETA1__ALLOCATE_REQUEST__INIT;
    unsigned char bytes[4096];
    one.n_devices_ids = (size_t)n, one.devices_ids = ids;
    m.n_container_requests = 1, m.container_requests = list;
    ask("Allocate", bytes, v1beta1__allocate_request__pack(&m, bytes));
}

/* ---- the tests ---- */

static struct machine machine;
static char nodes_dir[600];
static struct device_plugin *begin(const char *name)
{
    static char root[520], dir[600];
    machine_init(&machine, name);
    snprintf(root, sizeof(root), "%s", machine.root);
    snprintf(dir, sizeof(dir), "%.90s/k", machine.root);
    snprintf(nodes_dir, sizeof(nodes_dir), "%s/nodes", machine.root);
    device_rules_init(&rules);
    memset(&kubelet, 0, sizeof(kubelet));
    signal(SIGPIPE, SIG_IGN);
    if (!loop)
        loop = net_loop_new(&err);
    kubelet_start(dir);
    return device_plugin_new(loop, &rules, &(struct device_plugin_options){ .root = root, .kubelet_dir = dir, .nodes_dir = nodes_dir, .look_ms = 3600000, .settle_ms = 5, .retry_ms = 5 }, &err);
}
static void end(struct device_plugin *p)
{
    device_plugin_free(p);
    if (kubelet.server)
        http_server_free(kubelet.server);
    net_loop_free(loop);
    loop = NULL;
}

TEST(a_stick_is_registered_listed_and_allocated)
{
    struct device_plugin *p = begin("one");
    REQUIRE(p, "%s", err.text);
    CHECK(kubelet.n_registered == 0 && access(kubelet.dir, F_OK) == 0);
    machine_plug(&machine, "1-2", "18d1", "9302", 1, 4); /* inotify tells */
    UNTIL(kubelet.n_registered == 1);
    CHECK(strcmp(kubelet.resource, "google.com/coral") == 0 && strcmp(kubelet.endpoint, "tutti-google.com_coral.sock") == 0, "%s", kubelet.endpoint);
    watch_list();
    UNTIL(watched.n_lists == 1);
    REQUIRE(lists(1, "Healthy"), "one device");
    char *ids[] = { strdup(watched.list->devices[0]->id) };
    CHECK(strlen(ids[0]) <= 63);
    ask_allocate(1, ids);
    CHECK(answer.status == GRPC_OK, "%s", answer.text);
    V1beta1__AllocateResponse *a = v1beta1__allocate_response__unpack(NULL, answer.n, answer.bytes);
    REQUIRE(a && a->n_container_responses == 1 && a->container_responses[0]->n_devices >= 1, "an allocation");
    const V1beta1__ContainerAllocateResponse *c = a->container_responses[0];
    CHECK(strcmp(c->devices[0]->host_path, "/dev/bus/usb/001/004") == 0 && strcmp(c->devices[0]->permissions, "rwm") == 0, "%s", c->devices[0]->host_path);
    CHECK(c->n_devices == 1 || (c->n_devices == 9 && strcmp(c->devices[1]->container_path, "/dev/bus/usb/001/005") == 0), "%zu nodes", c->n_devices);
    CHECK(c->n_envs == 1 && strcmp(c->envs[0]->key, "TUTTI_DEVICES") == 0 && strcmp(c->envs[0]->value, "/dev/bus/usb/001/004") == 0);
    v1beta1__allocate_response__free_unpacked(a, NULL);
    free(ids[0]);
    ids[0] = (char *)"usb-nowhere";
    ask_allocate(1, ids);
    CHECK(answer.status == GRPC_NOT_FOUND && strstr(answer.text, "usb-nowhere"), "%d %s", (int)answer.status, answer.text);
    watch_end();
    end(p);
}

TEST(a_stick_that_boots_goes_and_comes_back_healthy_with_its_new_node)
{
    struct device_plugin *p;
    char *ids[1];
    p = begin("hot");
    REQUIRE(p, "%s", err.text);
    machine_plug(&machine, "1-2", "1a6e", "089a", 1, 4);
    UNTIL(kubelet.n_registered == 1);
    watch_list();
    UNTIL(lists(1, "Healthy"));
    ids[0] = strdup(watched.list->devices[0]->id);
    const uint64_t gone_ns = clock_ns();
    machine_unplug(&machine, "1-2", 1, 4);
    UNTIL(lists(1, "Unhealthy"));
    const double gone_ms = (double)(clock_ns() - gone_ns) / 1e6;
    ask_allocate(1, ids);
    CHECK(answer.status == GRPC_UNAVAILABLE && strstr(answer.text, "gone"), "%s", answer.text);
    const uint64_t back_ns = clock_ns();
    machine_plug(&machine, "1-2", "18d1", "9302", 1, 5);
    UNTIL(lists(1, "Healthy"));
    const double back_ms = (double)(clock_ns() - back_ns) / 1e6;
    CHECK(strcmp(watched.list->devices[0]->id, ids[0]) == 0, "%s is not %s", watched.list->devices[0]->id, ids[0]);
    printf("# gone after %.0f ms, back after %.0f ms\n", gone_ms, back_ms); /* 500 and 1000 are promised */
    ask_allocate(1, ids);
    CHECK(answer.status == GRPC_OK && memmem(answer.bytes, answer.n, "/dev/bus/usb/001/005", 20), "%s", answer.text);
    free(ids[0]);
    watch_end();
    end(p);
}

TEST(a_kubelet_that_starts_again_is_told_again)
{
    struct device_plugin *p = begin("again");
    REQUIRE(p, "%s", err.text);
    machine_plug(&machine, "1-2", "03e7", "2485", 1, 4);
    UNTIL(kubelet.n_registered == 1);
    watch_list();
    UNTIL(watched.n_lists == 1);
    char dir[400];
    snprintf(dir, sizeof(dir), "%s", kubelet.dir);
    for (int i = 2; i < 5; i++) {
        kubelet_stop();
        kubelet.refuses = i == 3; /* it is there, but not ready */
        kubelet_start(dir);
        if (kubelet.refuses) {
            char socket_path[600];
            snprintf(socket_path, sizeof(socket_path), "%s/tutti-intel.com_ncs2.sock", dir);
            UNTIL(access(socket_path, F_OK) == 0);
            kubelet.refuses = false;
        }
        UNTIL(kubelet.n_registered == i);
    }
    watch_end();
    watch_list(); /* on the new socket */
    UNTIL(lists(1, "Healthy"));
    watch_end();
    end(p);
}

TEST(a_hundred_devices_and_shares_are_listed_and_preferred_apart)
{
    static const char more[] = "- {name: a.b/x, path: /dev/x*, share: 2}\n";
    struct device_plugin *p;
    machine_init(&machine, "many");
    for (int i = 0; i < 100; i++)
        machine_write(&machine, "", "dev/x%d", i);
    p = begin("many");
    device_plugin_free(p);
    REQUIRE(device_rules_parse(&rules, "more", more, strlen(more), &err), "%s", err.text);
    char root[520], dir[600];
    snprintf(root, sizeof(root), "%s", machine.root);
    snprintf(dir, sizeof(dir), "%s", kubelet.dir);
    p = device_plugin_new(loop, &rules, &(struct device_plugin_options){ .root = root, .kubelet_dir = dir, .nodes_dir = nodes_dir, .look_ms = 3600000, .settle_ms = 5 }, &err);
    REQUIRE(p, "%s", err.text);
    UNTIL(kubelet.n_registered == 1);
    watch_list();
    UNTIL(watched.n_lists == 1);
    CHECK(lists(200, "Healthy"), "%zu", watched.list->n_devices);

    V1beta1__ContainerPreferredAllocationRequest one = V1BETA1__CONTAINER_PREFERRED_ALLOCATION_REQUEST__INIT, *list[] = { &one };
    V1beta1__PreferredAllocationRequest m = V1BETA1__PREFERRED_ALLOCATION_REQUEST__INIT;
    char *available[] = { (char *)"dev-x1::0", (char *)"dev-x1::1", (char *)"dev-x2::0", (char *)"dev-x2::1" }, *must[] = { (char *)"dev-x1::1" };
    unsigned char bytes[4096];
    one.n_available_deviceids = 4, one.available_deviceids = available;
    one.n_must_include_deviceids = 1, one.must_include_deviceids = must;
    one.allocation_size = 2;
    m.n_container_requests = 1, m.container_requests = list;
    ask("GetPreferredAllocation", bytes, v1beta1__preferred_allocation_request__pack(&m, bytes));
    V1beta1__PreferredAllocationResponse *a = v1beta1__preferred_allocation_response__unpack(NULL, answer.n, answer.bytes);
    REQUIRE(a && a->n_container_responses == 1 && a->container_responses[0]->n_deviceids == 2, "%s", answer.text);
    CHECK(strcmp(a->container_responses[0]->deviceids[0], "dev-x1::1") == 0 && strncmp(a->container_responses[0]->deviceids[1], "dev-x2::", 8) == 0,
          "the one that must be, and another device: %s %s", a->container_responses[0]->deviceids[0], a->container_responses[0]->deviceids[1]);
    v1beta1__preferred_allocation_response__free_unpacked(a, NULL);

    ask("Allocate", "\x0a\xff\xff\xff\xff\x0f", 6);
    CHECK(answer.status == GRPC_INVALID_ARGUMENT, "%d", (int)answer.status);
    ask("Nonsense", "", 0);
    CHECK(answer.status == GRPC_UNIMPLEMENTED, "%d", (int)answer.status);
    ask("PreStartContainer", "", 0);
    CHECK(answer.status == GRPC_OK);
    watch_end();
    end(p);
}

TEST(two_plugins_of_one_node_do_not_hinder_each_other)
{
    struct device_plugin *p = begin("two"), *q;
    struct device_rules *other = calloc(1, sizeof(*other));
    static const char text[] = "- {name: a.b/y, path: /dev/y*}\n";
    REQUIRE(p && device_rules_parse(other, "other", text, strlen(text), &err), "%s", err.text);
    machine_plug(&machine, "1-2", "18d1", "9302", 1, 4);
    UNTIL(kubelet.n_registered == 1);
    char root[520], dir[600];
    snprintf(root, sizeof(root), "%s", machine.root);
    snprintf(dir, sizeof(dir), "%s", kubelet.dir);
    q = device_plugin_new(loop, other, &(struct device_plugin_options){ .root = root, .kubelet_dir = dir, .nodes_dir = nodes_dir, .look_ms = 3600000, .settle_ms = 5 }, &err);
    REQUIRE(q, "%s", err.text);
    machine_write(&machine, "", "dev/y0");
    UNTIL(kubelet.n_registered == 2);
    CHECK(strcmp(kubelet.resource, "a.b/y") == 0, "%s", kubelet.resource);
    device_plugin_free(q);
    char path[700];
    snprintf(path, sizeof(path), "%s/tutti-a.b_y.sock", dir);
    CHECK(access(path, F_OK) != 0, "its socket went with it");
    snprintf(path, sizeof(path), "%s/tutti-google.com_coral.sock", dir);
    CHECK(access(path, F_OK) == 0, "the other's stayed");
    end(p);
    free(other);
}
