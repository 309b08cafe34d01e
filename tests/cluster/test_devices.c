/* tests/cluster/test_devices.c - rules, what a machine offers by them, ids that stay. */
#include "cluster/fake_machine.h"

#include "cluster/devices.h"

static struct device_rules rules;
static struct devices devices;

static bool look(const struct machine *m)
{
    struct err err;
    struct hw_root *root = hw_root_open(m->root, &err);
    if (!root)
        return false;
    devices.rules = &rules;
    const bool changed = devices_scan(&devices, root);
    hw_root_free(root);
    return changed;
}

static const struct device *at(int i, const char *resource)
{
    static const struct device none;
    for (int k = 0; k < devices.n; k++)
        if (strcmp(devices.list[k].rule->resource, resource) == 0 && i-- == 0)
            return &devices.list[k];
    return &none;
}

TEST(the_table_of_rules_reads)
{
    device_rules_init(&rules);
    CHECK(rules.n == 6, "%d", rules.n);
    CHECK(strcmp(rules.list[0].resource, "google.com/coral") == 0 && rules.list[0].n_kinds == 2 && rules.list[0].renumbers == 8);
}

TEST(a_coral_that_boots_is_the_same_device_under_another_identity_number_and_bus)
{
    struct machine m;
    char id[DEVICE_ID_MAX];
    machine_init(&m, "boots");
    device_rules_init(&rules);
    /* the connector's two sides */
    machine_plug(&m, "1-2", "1a6e", "089a", 1, 4);
    machine_link(&m, "../../../usb1/1-0:1.0/usb1-port2", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-2/port");
    machine_write(&m, "", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-0:1.0/usb1-port2/location");
    CHECK(look(&m) && devices.n == 1, "%d", devices.n);
    const struct device *v = at(0, "google.com/coral");
    CHECK(v->is_healthy && strcmp(v->node, "/dev/bus/usb/001/004") == 0 && strstr(v->name, "not booted"), "%s %s %s", v->node, v->name, v->why);
    snprintf(id, sizeof(id), "%s", v->id);
    CHECK(strcmp(id, "usb-0000_00_14.0-2") == 0, "%s", id);
    CHECK(!look(&m), "nothing has changed");

    machine_unplug(&m, "1-2", 1, 4);
    CHECK(look(&m) && !v->is_healthy && strcmp(v->why, "it is gone") == 0, "%s", v->why);

    machine_plug(&m, "2-1", "18d1", "9302", 2, 7);
    machine_write(&m, "", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-0:1.0/usb1-port2/location");
    machine_link(&m, "../2-0:1.0/usb2-port1", "sys/devices/pci0000:00/0000:00:14.0/usb2/2-1/port");
    machine_link(&m, "../../../usb1/1-0:1.0/usb1-port2", "sys/devices/pci0000:00/0000:00:14.0/usb2/2-0:1.0/usb2-port1/peer");
    CHECK(look(&m) && devices.n == 1, "%d devices", devices.n);
    CHECK(v->is_healthy && strcmp(v->id, id) == 0 && strcmp(v->node, "/dev/bus/usb/002/007") == 0, "%s %s %s", v->id, v->node, v->why);
}

TEST(sticks_at_a_hub_have_places_of_their_own)
{
    struct machine m;
    machine_init(&m, "hub");
    device_rules_init(&rules);
    machine_plug(&m, "1-1.1", "03e7", "2485", 1, 10);
    machine_plug(&m, "1-1.2", "03e7", "f63b", 1, 11);
    CHECK(look(&m) && devices.n == 2, "%d", devices.n);
    CHECK(strcmp(at(0, "intel.com/ncs2")->id, "usb-0000_00_14.0-1.1") == 0 && strcmp(at(1, "intel.com/ncs2")->id, "usb-0000_00_14.0-1.2") == 0, "%s %s",
          at(0, "intel.com/ncs2")->id, at(1, "intel.com/ncs2")->id);
    CHECK(devices_find(&devices, "intel.com/ncs2", "usb-0000_00_14.0-1.2") == at(1, "intel.com/ncs2"));
    CHECK(!devices_find(&devices, "google.com/coral", "usb-0000_00_14.0-1.2"));
    CHECK(!devices_find(&devices, "intel.com/ncs2", "usb-0000_00_14.0-1"));
}

TEST(what_cannot_be_used_is_unhealthy_and_says_why)
{
    struct machine m;
    machine_init(&m, "sick");
    device_rules_init(&rules);
    machine_plug(&m, "1-3", "18d1", "9302", 1, 5);
    machine_write(&m, "0\n", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-3/authorized");
    look(&m);
    CHECK(!at(0, "google.com/coral")->is_healthy && strstr(at(0, "google.com/coral")->why, "authorized"), "%s", at(0, "google.com/coral")->why);
    machine_write(&m, "1\n", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-3/authorized");
    machine_write(&m, "error\n", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-3/power/runtime_status");
    look(&m);
    CHECK(!at(0, "google.com/coral")->is_healthy && strstr(at(0, "google.com/coral")->why, "error"), "%s", at(0, "google.com/coral")->why);
    machine_write(&m, "active\n", "sys/devices/pci0000:00/0000:00:14.0/usb1/1-3/power/runtime_status");
    machine_remove(&m, "dev/bus/usb/001/005");
    look(&m);
    CHECK(!at(0, "google.com/coral")->is_healthy && strstr(at(0, "google.com/coral")->why, "is not there"), "%s", at(0, "google.com/coral")->why);
    machine_write(&m, "", "dev/bus/usb/001/005");
    look(&m);
    CHECK(at(0, "google.com/coral")->is_healthy);
}

TEST(a_rule_in_the_shape_of_the_seeds_config_map_names_nodes)
{
    static const char text[] = "- name: \"google.com/coral\"\n  path: \"/dev/apex_*\"\n"
                               "- {name: example.org/radio, usb: [\"0bda:2838\"], share: 3, env: {MODE: fast}, mounts: [{host: /etc/radio}]}\n";
    struct machine m;
    struct err err;
    struct buf out;
    machine_init(&m, "nodes");
    device_rules_init(&rules);
    REQUIRE(device_rules_parse(&rules, "rules.yaml", text, strlen(text), &err), "%s", err.text);
    CHECK(rules.n == 7, "the file's coral stands for the known one: %d", rules.n);
    machine_write(&m, "", "dev/apex_0");
    machine_write(&m, "", "dev/apex_1");
    machine_write(&m, "", "dev/apexes");
    machine_write(&m, "", "dev/video0");
    machine_plug(&m, "1-4", "0bda", "2838", 1, 9);
    look(&m);
    CHECK(devices.n == 4, "%d", devices.n);
    CHECK(strcmp(at(1, "google.com/coral")->id, "dev-apex_1") == 0 && strcmp(at(1, "google.com/coral")->node, "/dev/apex_1") == 0, "%s", at(1, "google.com/coral")->id);
    CHECK(at(0, "example.org/radio")->is_healthy && at(0, "example.org/radio")->rule->share == 3);
    CHECK(devices_find(&devices, "example.org/radio", "usb-0000_00_14.0-4::2") == at(0, "example.org/radio"), "a share is its device");
    buf_init(&out, 1 << 16);
    devices_put_text(&devices, &out);
    CHECK(strstr(out.data, "example.org/radio") && strstr(out.data, "shared by 3"), "%s", out.data);
    buf_clear(&out);
    devices_put_json(&devices, &out);
    CHECK(strstr(out.data, "\"id\":\"dev-apex_0\"") && strstr(out.data, "\"numa_node\":null"), "%s", out.data);
    buf_fini(&out);
}

TEST(rules_that_make_no_sense_say_where)
{
    static const struct { const char *text, *want; } bad[] = {
        { "name: x\n", "list of rules" },
        { "- {path: /dev/x}\n", "name of its resource" },
        { "- {name: coral, path: /dev/x}\n", "no resource name" },
        { "- {name: a.b/c}\n", "say which devices" },
        { "- {name: a.b/c, path: /etc/passwd}\n", "must lie in /dev" },
        { "- {name: a.b/c, path: /dev/../etc/shadow}\n", "no absolute path" },
        { "- {name: a.b/c, path: /dev/*/x}\n", "last part" },
        { "- {name: a.b/c, usb: \"12:34\"}\n", "no identity" },
        { "- {name: a.b/c, path: /dev/x, share: 1000}\n", "share" },
        { "- {name: a.b/c, pth: /dev/x}\n", "path" },
        { "- {name: a.b/c, path: /dev/x, env: {'A-B': 1}}\n", "name of a variable" },
        { "- 7\n", "a rule is a map" },
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct err err = { 0 };
        device_rules_init(&rules);
        CHECK(!device_rules_parse(&rules, "rules.yaml", bad[i].text, strlen(bad[i].text), &err) && strstr(err.text, bad[i].want), "%s-> %s", bad[i].text, err.text);
        CHECK(rules.n == 6, "nothing was taken of it: %d", rules.n);
    }
}

TEST(long_places_are_cut_to_63_bytes_and_stay_apart)
{
    struct machine m;
    struct err err;
    static const char text[] = "- {name: a.b/long, path: /dev/long*}\n";
    machine_init(&m, "long");
    device_rules_init(&rules);
    REQUIRE(device_rules_parse(&rules, "rules.yaml", text, strlen(text), &err), "%s", err.text);
    machine_write(&m, "", "dev/longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglong-a");
    machine_write(&m, "", "dev/longlonglonglonglonglonglonglonglonglonglonglonglonglonglonglong-b");
    look(&m);
    CHECK(devices.n == 2 && strlen(devices.list[0].id) <= 59 && strcmp(devices.list[0].id, devices.list[1].id) != 0, "%d %s %s", devices.n, devices.list[0].id,
          devices.list[1].id);
}
