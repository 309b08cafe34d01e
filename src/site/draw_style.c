/* site/draw_style.c - how the pictures look, in light and in dark; see draw_internal.h.
 *
 * Rule:    every text has a contrast of at least 4.5 : 1 on its ground, in both (tests/site/test_draw.c reckons it).  Colours of the
 *          classes are told apart by people with colour-blindness (after Okabe and Ito, 2008), darker on light, lighter on dark.
 */
#include "site/draw_internal.h"

const struct ink_font font_title = { "t0", 21, true }, font_sub = { "t1", 13, false }, font_name = { "t2", 15, true }, font_text = { "t3", 12.5, false },
                      font_small = { "t4", 11.5, false }, font_pill = { "t5", 11.5, false }, font_code = { "t6", 12 * 1.0, false }, font_big = { "t7", 17, true },
                      font_label = { "t4 halo", 11.5, false };

const char draw_css[] =
    ".tt{--ground:#f5f7fa;--card:#fff;--well:#f1f4f8;--line:#d3dae4;--ink:#18212f;--soft:#556175;--net:#27364b;--netink:#fff;--link:#7b8aa0;--head:#0a66c2;"
    "--c0:#0a5fb5;--c1:#b0440a;--c2:#0b7247;--c3:#8437a0;--c4:#7c5c00;--c0b:#e8f1fb;--c1b:#fcefe6;--c2b:#e6f5ee;--c3b:#f6ebf9;--c4b:#f9f2de;--bad:#b3261e;--good:#0b7247;"
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    "@media(prefers-color-scheme:dark){.tt{--ground:#0e131a;--card:#171e28;--well:#1e2733;--line:#313d4d;--ink:#e9edf3;--soft:#a2aec0;--net:#c3cedd;--netink:#10161f;"
    "--link:#6d7d94;--head:#6cb4ff;--c0:#74b8ff;--c1:#ffa368;--c2:#56d6a0;--c3:#dba0ee;--c4:#e8c45c;--c0b:#16293f;--c1b:#35241a;--c2b:#15302a;--c3b:#2d2136;--c4b:#302a18;"
    "--bad:#ff8d85;--good:#56d6a0}}"
    ".tt text{fill:var(--ink)}.tt .m{text-anchor:middle}.tt .r{text-anchor:end}"
    ".tt .t0{font-size:21px;font-weight:700}.tt .t1{font-size:13px;fill:var(--soft)}.tt .t2{font-size:15px;font-weight:650}.tt .t3{font-size:12.5px;fill:var(--soft)}"
    ".tt .t4{font-size:11.5px;fill:var(--soft);font-variant-numeric:tabular-nums}.tt .t5{font-size:11.5px}.tt .t6{font-size:12px;fill:var(--ink)}"
    ".tt .t7{font-size:17px;font-weight:700}.tt .ni{fill:var(--netink)}.tt .bad{fill:var(--bad)}.tt .b{font-weight:650;fill:var(--ink)}"
    ".tt .ground{fill:var(--ground)}.tt .card{fill:var(--card);stroke:var(--line)}.tt .head .card{stroke:var(--head);stroke-width:1.6}"
    ".tt .well{fill:var(--well)}.tt .net{fill:var(--net)}.tt .port{fill:var(--netink);opacity:.55}.tt .tag{fill:none;stroke:var(--line)}.tt .halo{paint-order:stroke;stroke:var(--ground);stroke-width:4px;stroke-linejoin:round}"
    ".tt .bar{fill:var(--line)}.tt .fill{fill:var(--c0)}.tt .k{fill:none;stroke:var(--link);stroke-linecap:round}.tt .wifi{stroke-dasharray:1 6}"
    ".tt .wave{fill:none;stroke:var(--link);stroke-width:1.8;stroke-linecap:round}.tt .chip{fill:none;stroke:var(--soft);stroke-width:1.2}.tt .die{fill:var(--soft)}.tt .no{fill:none;stroke:var(--bad);stroke-dasharray:4 3}"
    ".tt .c0{fill:var(--c0)}.tt .c1{fill:var(--c1)}.tt .c2{fill:var(--c2)}.tt .c3{fill:var(--c3)}.tt .c4{fill:var(--c4)}"
    ".tt .p0{fill:var(--c0b);stroke:var(--c0)}.tt .p1{fill:var(--c1b);stroke:var(--c1)}.tt .p2{fill:var(--c2b);stroke:var(--c2)}.tt .p3{fill:var(--c3b);stroke:var(--c3)}"
    ".tt .p4{fill:var(--c4b);stroke:var(--c4)}.tt .f0{stroke:var(--c0)}.tt .f1{stroke:var(--c1)}.tt .f2{stroke:var(--c2)}.tt .f3{stroke:var(--c3)}.tt .f4{stroke:var(--c4)}"
    ".tt .flow{fill:none;opacity:.5;stroke-linecap:round}.tt .arrow{fill:none;stroke:var(--link);stroke-width:1.8}.tt .tip{fill:var(--link)}"
    ".tt .gate{fill:var(--card);stroke:var(--link);stroke-dasharray:4 3}.tt .opt{stroke-dasharray:5 4}"
    ".tt .s-cold rect,.tt .s-gone rect{fill:none;stroke-dasharray:3 3}.tt .s-loading rect{stroke-dasharray:6 3}.tt .s-busy rect{stroke-width:2.4}"
    ".tt .s-gone{opacity:.55}.tt .dot{fill:var(--soft)}.tt .up .dot{fill:var(--good)}.tt .down .dot,.tt .refused .dot{fill:var(--bad)}"
    ".tt .down .card,.tt .refused .card{stroke:var(--bad);stroke-dasharray:5 4}";
