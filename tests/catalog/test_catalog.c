/* tests/catalog/test_catalog.c - the tables as an API: find, types, the user's files. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "catalog/catalog.h"
#include "test.h"

static struct catalog *open_with(const char *table, const char *text)
{
    struct err err = { 0 };
    char path[4096], dir[4000];
    snprintf(dir, sizeof(dir), "%s", test_tmp("cat"));
    mkdir(dir, 0777);
    snprintf(path, sizeof(path), "%s/%s.csv", dir, table);
    FILE *f = fopen(path, "wb");
    if (f) {
        fputs(text, f);
        fclose(f);
    }
    return catalog_new(dir, &err);
}

static const char *find(const char *table, const char *query)
{
    static char out[300];
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    const struct catalog_table *t = c ? catalog_table(c, table, &err) : NULL;
    const struct catalog_row *r = t ? catalog_find(t, query, &err) : NULL;
    snprintf(out, sizeof(out), "%s%s", r ? "" : "!", r ? catalog_name(r) : err.text);
    catalog_free(c);
    return out;
}
#define FINDS(table, query, want) CHECK(strcmp(find(table, query), want) == 0, "%s: %s", query, find(table, query))
#define SAYS(table, query, part) CHECK(find(table, query)[0] == '!' && strstr(find(table, query), part), "%s: %s", query, find(table, query))

TEST(a_name_is_found_however_people_write_it)
{
    FINDS("gpu", "GeForce RTX 4090", "GeForce RTX 4090");
    FINDS("gpu", "rtx 4090", "GeForce RTX 4090");
    FINDS("gpu", "rtx4090", "GeForce RTX 4090");
    FINDS("gpu", "4090", "GeForce RTX 4090");
    FINDS("gpu", "RTX-4090", "GeForce RTX 4090");
    FINDS("gpu", "4070 ti super", "GeForce RTX 4070 Ti Super");
    FINDS("gpu", "RTX4070TiSuper", "GeForce RTX 4070 Ti Super");
    FINDS("gpu", "7900xtx", "Radeon RX 7900 XTX");
    FINDS("gpu", "w7900", "Radeon PRO W7900");
    FINDS("gpu", "mi300x", "Instinct MI300X");
    FINDS("gpu", "5060 ti 16gb", "GeForce RTX 5060 Ti 16GB");
    FINDS("cpu", "7950x", "Ryzen 9 7950X");
    FINDS("cpu", "epyc 9755", "EPYC 9755");
}

TEST(what_drivers_and_cpuinfo_say_is_found)
{
    FINDS("gpu", "NVIDIA GeForce RTX 4090", "GeForce RTX 4090");
    FINDS("gpu", "AMD Radeon RX 7900 XTX", "Radeon RX 7900 XTX");
    FINDS("gpu", "NVIDIA RTX A4000", "RTX A4000");
    FINDS("cpu", "AMD Ryzen 9 7950X 16-Core Processor", "Ryzen 9 7950X");
    FINDS("cpu", "AMD EPYC 9554P 64-Core Processor", "EPYC 9554P");
    FINDS("cpu", "Intel(R) Core(TM) i7-8550U CPU @ 1.80GHz", "Core i7-8550U");
    FINDS("cpu", "12th Gen Intel(R) Core(TM) i7-12700H", "Core i7-12700H");
    FINDS("cpu", "Intel(R) Xeon(R) CPU E5-2680 v4 @ 2.40GHz", "Xeon E5-2680 v4");
    FINDS("cpu", "Intel(R) N100", "Intel N100");
    FINDS("cpu", "Intel(R) Core(TM) Ultra 7 155H", "Core Ultra 7 155H");
}

TEST(several_are_listed_and_typos_get_a_hint)
{
    SAYS("gpu", "rtx 4060 ti", "which one? GeForce RTX 4060 Ti 8GB, GeForce RTX 4060 Ti 16GB");
    SAYS("gpu", "h100", "H100 PCIe 80GB, H100 SXM 80GB, H100 NVL 94GB");
    SAYS("gpu", "rtx 4909", "near: GeForce RTX 4090");
    SAYS("cpu", "7590x", "Ryzen 9 7950X");
    SAYS("gpu", "voodoo graphics of long ago", "not in the catalog");
    SAYS("gpu", "", "not in the catalog");
    SAYS("gpu", "\"%s%n\\\x01", "not in the catalog");
    char huge[5000];
    memset(huge, 'x', sizeof(huge) - 1);
    huge[sizeof(huge) - 1] = '\0';
    SAYS("gpu", huge, "not in the catalog");
}

TEST(several_tables_are_searched_together)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new(NULL, &err);
    REQUIRE(c);
    const struct catalog_row *r = catalog_find_in(c, "gpu soc cpu accelerator phone", "raspberry pi 5", &err);
    CHECK(r && strcmp(catalog_name(r), "Raspberry Pi 5") == 0, "%s", err.text);
    r = catalog_find_in(c, "gpu soc cpu", "epyc 9354x", &err);
    CHECK(!r && strstr(err.text, "not in the catalog"), "%s", err.text);
    catalog_free(c);
}

TEST(cells_have_types)
{
    struct catalog *c = open_with("gpu", "name,mem_gb,source,date\nMy Card,12.5,me,2026-03\n");
    struct err err = { 0 };
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "gpu", &err);
    REQUIRE(t, "%s", err.text);
    const struct catalog_row *r = catalog_find(t, "my card", &err);
    REQUIRE(r, "%s", err.text);
    CHECK(catalog_number(r, "mem_gb") == 12.5);
    CHECK(isnan(catalog_number(r, "mem_bw_gbps")), "empty is not known");
    CHECK(isnan(catalog_number(r, "no_such_column")));
    CHECK(catalog_number_or(r, "tdp_w", 7) == 7);
    CHECK(catalog_date(r, "date") == 20260300);
    CHECK(strcmp(catalog_text(r, "no_such_column"), "") == 0);
    CHECK(strcmp(catalog_source(r), "me") == 0 && catalog_is_user_row(r));
    CHECK(catalog_table_of(r) == t && catalog_table(c, "gpu", &err) == t, "a table is read once");
    catalog_free(c);
}

TEST(a_users_row_overrides_what_its_file_names_and_no_more)
{
    struct catalog *c = open_with("gpu", "name,launch_price_usd,source,date\nGeForce RTX 4090,1234,my shop,2026-11-01\n");
    struct err err = { 0 };
    REQUIRE(c);
    const struct catalog_table *t = catalog_table(c, "gpu", &err);
    REQUIRE(t, "%s", err.text);
    const struct catalog_row *r = catalog_find(t, "4090", &err);
    REQUIRE(r, "%s", err.text);
    CHECK(catalog_number(r, "launch_price_usd") == 1234 && catalog_number(r, "mem_gb") == 24);
    CHECK(strncmp(catalog_source(r), "my shop; other columns: http", 28) == 0, "%s", catalog_source(r));
    CHECK(catalog_date(r, "date") == 20261101 && catalog_is_user_row(r));
    CHECK(!catalog_is_user_row(catalog_row(t, 0)));
    CHECK(!catalog_row(t, -1) && !catalog_row(t, catalog_n_rows(t)));
    catalog_free(c);
}

static const char *complaint(const char *text)
{
    static struct err err;
    struct catalog *c = open_with("gpu", text);
    err = (struct err){ 0 };
    const struct catalog_table *t = c ? catalog_table(c, "gpu", &err) : NULL;
    catalog_free(c);
    return t ? "" : err.text;
}

TEST(a_wrong_user_file_is_refused_with_its_place)
{
    CHECK(strstr(complaint(""), "gpu.csv: empty"));
    CHECK(strstr(complaint("mem_gb,name,source,date\n"), "line 1, column 1: the first column must be 'name'"));
    CHECK(strstr(complaint("name,source\n"), "columns 'source' and 'date' are wanted"));
    CHECK(strstr(complaint("name,price,source,date\n"), "line 1, column 6: the table has no such column"));
    CHECK(strstr(complaint("name,source,source,date\n"), "line 1, column 13: this column was there already"));
    CHECK(strstr(complaint("name,mem_gb,source,date\nx,lots,me,2026\n"), "line 2, column 3: a number is wanted"));
    CHECK(strstr(complaint("name,mem_gb,source,date\nx,nan,me,2026\n"), "line 2, column 3: a number is wanted"));
    CHECK(strstr(complaint("name,mem_gb,source,date\nx,1e999,me,2026\n"), "a number is wanted"));
    CHECK(strstr(complaint("name,source,date\nx,,2026\n"), "line 2, column 3: the source is empty"));
    CHECK(strstr(complaint("name,source,date\n,me,2026\n"), "line 2, column 1: the name is empty"));
    CHECK(strstr(complaint("name,source,date\nx,me,yesterday\n"), "line 2, column 6: a date like"));
    CHECK(strstr(complaint("name,source,date\nx,me,2026-13\n"), "a date like"));
    CHECK(strstr(complaint("name,source,date\nx,me,2026\nx,me,2026\n"), "line 3, column 1: this name was there already"));
    CHECK(strstr(complaint("name,source,date\n x,me,2026\n"), "line 2, column 1: spaces around"));
}

TEST(unknown_tables_and_missing_folders)
{
    struct err err = { 0 };
    struct catalog *c = catalog_new("/nonexistent/folder", &err);
    REQUIRE(c);
    CHECK(catalog_table(c, "cpu", &err), "a folder that is not there adds nothing: %s", err.text);
    CHECK(!catalog_table(c, "toasters", &err) && strstr(err.text, "no table 'toasters'; there are accelerator"), "%s", err.text);
    catalog_free(c);
    char path[64];
    CHECK(!catalog_user_dir(NULL, NULL, path, sizeof(path)) && !catalog_user_dir("relative", "", path, sizeof(path)));
    CHECK(!catalog_user_dir("/nonexistent", NULL, path, sizeof(path)));
}
