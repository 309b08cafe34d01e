/* site/guide_html.c - a guide as one self-contained page: steps to tick off that stay ticked, a filter by node, buttons that copy commands.
 *
 * Everything that comes from an inventory or a table goes through chart_put_text(); scripts and styles are only those below, nothing is loaded.
 * Without scripts it is a page to read and to print.
 */
#include <stdio.h>
#include <string.h>

#include "site/guide.h"
#include "page/chart.h"

static const char css[] =
    ":root{color-scheme:light dark;--paper:#fff;--ink:#1c2330;--soft:#5b6475;--line:#dde1e7;--card:#f5f7fa;--mark:#e8f1fb;--accent:#1f6fc4;--good:#1d7f4b}"
    "@media(prefers-color-scheme:dark){:root{--paper:#14181f;--ink:#e6e9ef;--soft:#a3acbb;--line:#333b47;--card:#1c222b;--mark:#1b2a3d;--accent:#6fb2f5;--good:#5cc78f}}"
    "*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif}"
    "main{max-width:900px;margin:0 auto;padding:28px 20px 60px}h1{font-size:1.8rem;line-height:1.2;margin:0}h2{font-size:1.3rem;margin:2.6rem 0 .8rem;padding-top:1.2rem;border-top:1px solid var(--line)}"
    "h3{font-size:1.02rem;margin:1.6rem 0 .4rem}p{margin:.45rem 0}.sub,.src,.soft{color:var(--soft)}.src{font-size:.82rem}.d{white-space:nowrap}a{color:var(--accent)}"
    "nav{display:flex;flex-wrap:wrap;gap:6px;margin:1rem 0}nav a{padding:3px 10px;border:1px solid var(--line);border-radius:99px;text-decoration:none;font-size:.88rem}"
    ".bar{position:sticky;top:0;z-index:1;background:var(--paper);border-bottom:1px solid var(--line);padding:10px 0;display:flex;flex-wrap:wrap;gap:10px 16px;align-items:center;font-size:.92rem}"
    ".bar select,.bar button{font:inherit;color:inherit;background:var(--card);border:1px solid var(--line);border-radius:6px;padding:4px 8px;max-width:100%}"
    ".meter{flex:1 1 120px;height:8px;border-radius:4px;background:var(--card);overflow:hidden;min-width:80px}.meter i{display:block;height:100%;width:0;background:var(--good)}"
    "table{width:100%;border-collapse:collapse;font-size:.92rem;margin:.4rem 0}th,td{text-align:left;vertical-align:top;padding:7px 12px 7px 8px;border-bottom:1px solid var(--line);overflow-wrap:anywhere}"
    "th{color:var(--soft);font-weight:600}td.r,th.r{text-align:right;white-space:nowrap;font-variant-numeric:tabular-nums}tr.on{background:var(--mark)}tr.on td:first-child{font-weight:600}table.opts td:first-child{min-width:8.5em}tbody th{padding-top:14px}"
    ".choice{background:var(--mark);border-radius:8px;padding:10px 14px;margin:.6rem 0 1.2rem}.choice ul{margin:.3rem 0 0;padding-left:1.2em}"
    "article{border:1px solid var(--line);border-radius:10px;padding:12px 16px 14px;margin:12px 0;overflow-wrap:anywhere}article.done{opacity:.62}article.done h3{text-decoration:line-through}"
    "article h3{margin:0;display:flex;gap:10px;align-items:flex-start}article h3 input{flex:none;width:19px;height:19px;margin:3px 0 0;accent-color:var(--good)}article label{cursor:pointer}"
    ".on-node{color:var(--soft);font-size:.88rem;margin:.15rem 0 .5rem 29px}.tag{font-size:.8rem;color:var(--soft);font-weight:600;margin-top:.7rem}"
    ".cmd{position:relative;margin:.35rem 0}pre{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:9px 64px 9px 12px;margin:0;white-space:pre-wrap;overflow-wrap:anywhere;"
    "font:.84rem/1.55 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}.cmd button{position:absolute;top:6px;right:6px;font:inherit;font-size:.76rem;padding:2px 9px;border-radius:6px;border:1px solid "
    "var(--line);background:var(--paper);color:var(--soft);cursor:pointer}details{margin-top:.5rem}summary{cursor:pointer;color:var(--soft);font-size:.9rem}[hidden]{display:none!important}"
    "@media(max-width:620px){main{padding:18px 14px 40px}table.opts thead{display:none}table.opts tr{display:block;padding:6px 0;border-bottom:1px solid var(--line)}table.opts td{display:block;border:0;padding:2px 8px}"
    "table.opts td:first-child{font-weight:600}table.opts td:nth-child(2)::before{content:'+ '}table.opts td:nth-child(3)::before{content:'\\2212\\a0'}article{padding:11px 12px}.on-node{margin-left:0}td,th{padding-right:6px}}"
    "@media print{.bar,nav,.cmd button{display:none!important}main{max-width:none}article,tr,.choice{break-inside:avoid}article.done{opacity:1}details:not([open])>*{display:block}body{font-size:11px}}";

static const char script[] =
    "(function(){'use strict';var m=document.querySelector('main'),key='tutti-guide:'+m.dataset.name+':',box=[].slice.call(document.querySelectorAll('article'));"
    "function get(k){try{return localStorage.getItem(key+k)}catch(e){return null}}function put(k,v){try{v===null?localStorage.removeItem(key+k):localStorage.setItem(key+k,v)}catch(e){}}"
    "var sel=document.getElementById('node'),hide=document.getElementById('hide'),count=document.getElementById('count'),fill=document.querySelector('.meter i');"
    "document.querySelector('.bar').hidden=false;"
    "function show(){var n=sel.value,seen=0,done=0;box.forEach(function(a){var here=n===''||(' '+a.dataset.nodes+' ').indexOf(' '+n+' ')>=0||a.dataset.nodes==='*',d=a.querySelector('input').checked;"
    "if(here){seen++;if(d)done++}a.classList.toggle('done',d);a.hidden=!here||(hide.checked&&d)});"
    "[].forEach.call(document.querySelectorAll('section.phase'),function(s){s.hidden=!s.querySelector('article:not([hidden])')});"
    "count.textContent=done+' of '+seen+' done';fill.style.width=(seen?100*done/seen:0)+'%'}"
    "box.forEach(function(a){var i=a.querySelector('input');i.checked=get(a.id)==='1';i.addEventListener('change',function(){put(a.id,i.checked?'1':null);show()})});"
    "sel.value=get('node')||'';if(sel.selectedIndex<0)sel.value='';sel.addEventListener('change',function(){put('node',sel.value);show()});hide.addEventListener('change',show);"
    "[].forEach.call(document.querySelectorAll('.cmd'),function(c){var b=document.createElement('button');b.type='button';b.textContent='copy';b.addEventListener('click',function(){"
    "var t=c.querySelector('pre').textContent,ok=function(){b.textContent='copied';setTimeout(function(){b.textContent='copy'},1500)};"
    "if(navigator.clipboard&&window.isSecureContext)navigator.clipboard.writeText(t).then(ok);else{var r=document.createRange();r.selectNodeContents(c.querySelector('pre'));var s=getSelection();s.removeAllRanges();"
    "s.addRange(r);try{if(document.execCommand('copy'))ok()}catch(e){}}});c.appendChild(b)});show()})();";

/* <tag>text</tag>; nothing for an empty text. */
static void put(struct buf *b, const char *open, const char *text, const char *close)
{
    if (!text[0])
        return;
    buf_puts(b, open);
    chart_put_text(b, text);
    buf_puts(b, close);
}

static void put_options(const struct guide *g, int group, struct buf *b)
{
    const struct guide_choice *c = &g->choices[group];
    buf_puts(b, "<table class=\"opts\"><thead><tr><th></th><th>gives</th><th>costs</th></tr></thead><tbody>\n");
    for (int i = 0; i < guide_n_options; i++) {
        const struct guide_option *o = &guide_options[i];
        bool is_chosen = false;
        if ((int)o->group != group)
            continue;
        for (int j = 0; j < c->n_chosen; j++)
            is_chosen |= c->chosen[j] == o;
        put(b, is_chosen ? "<tr class=\"on\"><td>\xe2\x9c\x93\xc2\xa0" : "<tr><td>", o->name, "</td>");
        put(b, "<td>", o->gives, "</td>");
        put(b, "<td>", o->costs, "<br/>");
        put(b, "<span class=\"src\">", o->source, ", ");
        buf_printf(b, "<span class=\"d\">%s</span></span></td></tr>\n", o->date);
    }
    buf_puts(b, "</tbody></table>\n");
}

static void put_speeds(const struct guide *g, struct buf *b)
{
    static const struct { const char *payload, *words; } payloads[] = { { "tiny", "a tiny request: four numbers" }, { "tensor", "a tensor of 600 kB: 1 x 3 x 224 x 224 FP32" }, { "text", "a text of 20 kB" } };
    const char *last = "";
    buf_puts(b, "<p><b>Measured</b>: a request and its answer over loopback, p50</p><table><thead><tr><th></th><th class=\"r\">\xc2\xb5s</th><th class=\"r\">times</th><th class=\"r\">bytes</th></tr></thead><tbody>\n");
    for (int i = 0; i < g->n_speeds; i++) {
        const struct guide_speed *s = &g->speeds[i];
        const char *words = s->payload;
        for (size_t k = 0; k < sizeof(payloads) / sizeof(payloads[0]); k++)
            words = strcmp(payloads[k].payload, s->payload) == 0 ? payloads[k].words : words;
        if (strcmp(s->payload, last) != 0)
            put(b, "<tr><th colspan=\"4\">", words, "</th></tr>\n");
        last = s->payload;
        put(b, s->ratio < 1.005 ? "<tr class=\"on\"><td>" : "<tr><td>", s->protocol, "</td>");
        buf_printf(b, "<td class=\"r\">%.0f</td><td class=\"r\">%.1f</td><td class=\"r\">%.0f</td></tr>\n", s->p50_us, s->ratio, s->request_bytes);
    }
    buf_puts(b, "</tbody></table>\n");
    put(b, "<p class=\"src\">", g->speeds_where, "</p>\n");
}

static void put_stack(const struct guide *g, struct buf *b)
{
    buf_puts(b, "<section id=\"stack\"><h2>Which stack</h2>\n<p class=\"soft\">The seeds' comparison, each row with its source and the day it was looked up, and what follows from it for this inventory.</p>\n");
    for (int k = 0; k < GUIDE_GROUP_COUNT; k++) {
        const struct guide_choice *c = &g->choices[k];
        put(b, "<h3>", guide_group_heading((enum guide_group)k), "</h3>\n");
        put_options(g, k, b);
        if (k == GUIDE_GROUP_PROTOCOL && g->n_speeds)
            put_speeds(g, b);
        buf_puts(b, "<div class=\"choice\"><b>For this inventory:</b> ");
        for (int j = 0; j < c->n_chosen; j++) {
            put(b, j ? "; <b>" : "<b>", c->chosen[j]->name, "</b> (");
            put(b, "", c->role[j], ")");
        }
        buf_puts(b, "<ul>\n");
        for (int j = 0; j < c->n_reasons; j++)
            put(b, "<li>", c->reasons[j], "</li>\n");
        buf_puts(b, "</ul></div>\n");
    }
    buf_puts(b, "</section>\n");
}

/* is_again: another node's step of the same kind stands above. */
static void put_item(const struct guide *g, const struct guide_item *it, int number, bool is_again, struct buf *b)
{
    char open[96];
    buf_puts(b, "<article id=\"");
    chart_put_text(b, it->step->id);
    if (it->node >= 0)
        put(b, ".", g->inv->nodes[it->node].name, "");
    buf_puts(b, "\" data-nodes=\"");
    if (it->step->where == GUIDE_ON_DESK)
        buf_puts(b, "*");
    for (int i = 0; i < it->n_nodes && it->step->where != GUIDE_ON_DESK; i++)
        buf_printf(b, "%s%d", i ? " " : "", it->nodes[i]);
    snprintf(open, sizeof(open), "\"><h3><input type=\"checkbox\" id=\"c%d\"/><label for=\"c%d\">%d. ", number, number, number);
    put(b, open, it->title, "</label></h3>\n");
    put(b, "<p class=\"on-node\">on ", it->on, "</p>\n");
    put(b, "<div class=\"cmd\"><pre>", it->command, "</pre></div>\n");
    put(b, is_again ? "<details><summary>Why</summary><p>" : "<p>", it->why, is_again ? "</p></details>\n" : "</p>\n");
    if (it->check[0] || it->says[0])
        buf_puts(b, "<p class=\"tag\">Check</p>\n");
    put(b, "<div class=\"cmd\"><pre>", it->check, "</pre></div>\n");
    put(b, "<p>must say: ", it->says, "</p>\n");
    put(b, "<details><summary>What goes wrong</summary><p>", it->wrong, "</p></details>\n");
    if (it->step->source[0] && !is_again) {
        put(b, "<p class=\"src\">", it->step->source, ", ");
        buf_printf(b, "<span class=\"d\">%s</span></p>\n", it->step->date);
    }
    buf_puts(b, "</article>\n");
}

static void put_bar(const struct guide *g, int node, struct buf *b)
{
    buf_puts(b, "<div class=\"bar\" hidden><select id=\"node\" aria-label=\"node\"><option value=\"\">all nodes</option>");
    for (int i = 0; i < g->inv->n_nodes && node < 0; i++) {
        buf_printf(b, "<option value=\"%d\">", i);
        put(b, "", g->inv->nodes[i].name, "</option>");
    }
    buf_puts(b, "</select><label><input type=\"checkbox\" id=\"hide\"/> hide what is done</label><span class=\"meter\"><i></i></span><span id=\"count\"></span></div>\n");
}

void guide_put_html(const struct guide *g, int node, struct buf *b)
{
    int phase = -1;
    const struct guide_step *last = NULL;
    buf_puts(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\"/>\n<title>Setting up ");
    chart_put_text(b, g->name);
    buf_printf(b, "</title>\n<style>%s</style>\n</head>\n<body>\n<main data-name=\"", css);
    chart_put_text(b, g->name);
    put(b, "\">\n<h1>Setting up ", g->name, "</h1>\n");
    buf_printf(b, "<p class=\"sub\">%d node%s, %s. Made by tutti cluster guide ", g->inv->n_nodes, g->inv->n_nodes == 1 ? "" : "s", g->inv->engine == INV_K3S ? "K3s" : "a plain list of nodes");
    chart_put_text(b, g->file);
    buf_puts(b, "</p>\n<nav>");
    if (node < 0)
        buf_puts(b, "<a href=\"#stack\">Which stack</a>");
    for (int i = 0; i < g->n_items; i++)
        if (guide_item_concerns(&g->items[i], node) && (int)g->items[i].step->phase != phase) {
            phase = (int)g->items[i].step->phase;
            buf_printf(b, "<a href=\"#phase%d\">%s</a>", phase, guide_phase_heading(g->items[i].step->phase));
        }
    buf_puts(b, "</nav>\n");
    if (node < 0)
        put_stack(g, b);
    put_bar(g, node, b);
    phase = -1;
    for (int i = 0; i < g->n_items; i++) {
        const struct guide_item *it = &g->items[i];
        if (!guide_item_concerns(it, node))
            continue;
        if ((int)it->step->phase != phase) {
            buf_puts(b, phase >= 0 ? "</section>\n" : "");
            phase = (int)it->step->phase;
            buf_printf(b, "<section class=\"phase\" id=\"phase%d\"><h2>%s</h2>\n", phase, guide_phase_heading(it->step->phase));
        }
        put_item(g, it, i + 1, it->step == last, b);
        last = it->step;
    }
    buf_printf(b, "%s</main>\n<script>%s</script>\n</body>\n</html>\n", phase >= 0 ? "</section>\n" : "", script);
}
