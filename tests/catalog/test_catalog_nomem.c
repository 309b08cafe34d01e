/* tests/catalog/test_catalog_nomem.c - whichever allocation fails: one line, nothing left behind. */
#include <stdio.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "fail_alloc.h"
#include "test.h"

static bool load(void *arg, struct err *err)
{
    struct catalog *c = catalog_new(arg, err);
    const bool ok = c && catalog_table(c, "network", err) && catalog_find_in(c, "network dock", "netgear gs108", err);
    catalog_free(c);
    return ok;
}

TEST(tables_survive_every_failing_allocation)
{
    char dir[4000], path[4096];
    snprintf(dir, sizeof(dir), "%s", test_tmp("cat"));
    snprintf(path, sizeof(path), "%s/network.csv", dir);
    mkdir(dir, 0777);
    FILE *f = fopen(path, "w");
    REQUIRE(f);
    fputs("name,power_w,source,date\nNetgear GS108,4,me,2026\nMine,5,me,2026\n", f);
    fclose(f);
    CHECK(fail_alloc_each(load, dir, 500) > 4);
}
