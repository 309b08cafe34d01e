#!/usr/bin/env python3
"""judge.py HOW ... - are the dashboards and alerts what Grafana and Prometheus can use?  Prints what is wrong; silent when nothing is.

  structure DASHBOARD...              Grafana's JSON: ids, places, targets, variables (schemaVersion 39: what a person can hold it to)
  names METRICS EXPORTER FILE...      every metric and label of FILEs (dashboards, rules.yaml) is in METRICS (of /metrics) or EXPORTER (a list)
  live URL FILE...                    every query is asked of a Prometheus; what must be there gives something"""
import json
import re
import sys
import urllib.parse
import urllib.request

PANELS = {"timeseries", "stat", "table", "bargauge", "gauge", "row"}
UNITS = {"short", "bytes", "Bps", "percentunit", "s", "celsius", "watt", "joule", "reqps"}
GRAFANAS = {"__rate_interval", "datasource"}
TARGET = {"job", "instance", "node", "role"}  # of prometheus.yml, or of the operator's monitors
wrong = []


def bad(where, text):
    wrong.append("%s: %s" % (where, text))


def asks(variable):
    return variable["query"]["query"] if variable["type"] == "query" else ""


def queries(path):
    """(where, PromQL, labels of its legend, must it give something)"""
    if path.endswith(".json"):
        d = json.load(open(path))
        for p in d["panels"]:
            for t in p.get("targets", []):
                legend = re.findall(r"\{\{\s*(\w+)\s*\}\}", t.get("legendFormat", ""))
                yield "%s: %s" % (d["uid"], p["title"]), t["expr"], legend, not p.get("description", "").startswith("Only where"), d
        for v in d["templating"]["list"]:
            m = re.match(r"label_values\((.*), (\w+)\)$", asks(v))
            if m:
                yield "%s: $%s" % (d["uid"], v["name"]), "count by (%s) (%s)" % (m.group(2), m.group(1)), [], True, d
    else:
        text = open(path).read()
        for m in re.finditer(r"alert: (\w+)\n\s*expr: '((?:[^']|'')*)'", text):
            rest = text[m.end():].split("- alert:")[0]
            yield m.group(1), m.group(2).replace("''", "'"), re.findall(r"\$labels\.(\w+)", rest), False, None


# ---- structure ----

def structure(path):
    d = json.load(open(path))
    uid = d.get("uid", "")
    if not re.fullmatch(r"[a-z0-9-]{1,40}", uid) or not path.endswith("/%s.json" % uid):
        bad(path, "uid")
    for key, kind in (("title", str), ("schemaVersion", int), ("version", int), ("panels", list), ("templating", dict), ("time", dict), ("tags", list), ("editable", bool), ("refresh", str), ("timezone", str)):
        if not isinstance(d.get(key), kind):
            bad(uid, "%s is no %s" % (key, kind.__name__))
    if d["schemaVersion"] < 36 or "id" in d:
        bad(uid, "schemaVersion, or an id that only a database knows")
    for link in d["links"]:  # what @grafana/schema 13.2.3 wants of a DashboardLink
        if not {"asDropdown", "icon", "includeVars", "keepTime", "tags", "targetBlank", "title", "tooltip", "type"} <= set(link):
            bad(uid, "link %s" % link)
    declared = {v["name"] for v in d["templating"]["list"]}
    before = set()
    for v in d["templating"]["list"]:
        if v["type"] not in ("datasource", "query") or not {"text", "value"} <= set(v["current"]) or (v["type"] == "query" and v["datasource"]["uid"] != "${datasource}"):
            bad(uid, "variable %s" % v["name"])
        for used in re.findall(r"\$\{?(\w+)", asks(v)):
            if used not in before:
                bad(uid, "variable %s leans on $%s, which does not come before" % (v["name"], used))
        before.add(v["name"])
    if not d["templating"]["list"] or d["templating"]["list"][0]["name"] != "datasource":
        bad(uid, "no variable for the data source")
    seen, taken, used = set(), {}, set()
    for p in d["panels"]:
        where = "%s: %s" % (uid, p.get("title"))
        if not isinstance(p.get("id"), int) or p["id"] in seen:
            bad(where, "id %s" % p.get("id"))
        seen.add(p.get("id"))
        if p.get("type") not in PANELS or not p.get("title"):
            bad(where, "type %s" % p.get("type"))
        g = p.get("gridPos", {})
        if any(not isinstance(g.get(k), int) or g[k] < 0 for k in "xywh") or g["w"] < 1 or g["h"] < 1 or g["x"] + g["w"] > 24:
            bad(where, "gridPos %s" % g)
            continue
        for x in range(g["x"], g["x"] + g["w"]):
            for y in range(g["y"], g["y"] + g["h"]):
                if (x, y) in taken:
                    bad(where, "lies over %s" % taken[x, y])
                taken[x, y] = p["title"]
        if p["type"] == "row":
            if p.get("panels") != [] or p.get("collapsed") is not False:
                bad(where, "a row")
            continue
        if p.get("datasource") != {"type": "prometheus", "uid": "${datasource}"}:
            bad(where, "datasource")
        if p["fieldConfig"]["defaults"]["unit"] not in UNITS or not isinstance(p["fieldConfig"]["overrides"], list) or not isinstance(p["options"], dict):
            bad(where, "fieldConfig")
        refs = [t["refId"] for t in p["targets"]]
        if not refs or len(set(refs)) != len(refs):
            bad(where, "refId %s" % refs)
        for t in p["targets"]:
            if t["datasource"] != p["datasource"] or t["instant"] == t["range"] or t["format"] not in ("table", "time_series") or not t["expr"].strip():
                bad(where, "target %s" % t["refId"])
            for name in re.findall(r"\$\{?(\w+)", t["expr"]):
                used.add(name)
                if name not in declared | GRAFANAS:
                    bad(where, "$%s is declared nowhere" % name)
    for name in declared - used - GRAFANAS:
        if not any("$" + name in asks(v) for v in d["templating"]["list"]):
            bad(uid, "$%s is used nowhere" % name)


# ---- names ----

def parse(expr):
    """metric -> labels of its braces; labels of by, on, ..."""
    text = re.sub(r'"(?:[^"\\]|\\.)*"', '""', expr.replace("$__rate_interval", "5m"))
    groups = set()
    for m in re.finditer(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", text):
        groups |= set(re.findall(r"\w+", m.group(1)))
    text = re.sub(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)", " ", text)
    metrics = {}
    for m in re.finditer(r"([a-zA-Z_:][\w:]*)\s*(\{[^}]*\})?(\s*\()?", text):
        name, braces, call = m.groups()
        if call or name in ("and", "or", "unless", "bool", "offset") or re.search(r"[\d.\[]$", text[:m.start()]):
            continue
        metrics.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", braces or ""))
    return metrics, groups


def read_metrics(path):
    known = {}
    for line in open(path):
        m = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? ", line)
        if m and not line.startswith("#"):
            known.setdefault(m.group(1), set()).update(re.findall(r'(\w+)="', m.group(2) or ""))
        t = re.match(r"# TYPE (\S+) ", line)  # a family without a sample on this machine: its labels are not seen here
        if t:
            known.setdefault(t.group(1), set())
    return known


def names(metrics, exporter, paths):
    known = read_metrics(metrics)
    for line in open(exporter):
        if line.strip() and not line.startswith("#"):
            known[line.split()[0]] = set(line.split()[1:])
    known["up"], known["ALERTS"] = set(), {"alertstate", "alertname", "severity"}
    for path in paths:
        for where, expr, legend, _, _ in queries(path):
            used, groups = parse(expr)
            if not used:
                bad(where, "no metric in %s" % expr)
            there = set(TARGET)
            for name, labels in used.items():
                if name not in known:
                    bad(where, "nobody exposes %s" % name)
                    continue
                there |= known[name]
                for label in labels - known[name] - TARGET:
                    bad(where, "%s has no label %s" % (name, label))
            for label in (groups | set(legend)) - there:
                bad(where, "none of %s has the label %s" % (", ".join(used), label))


# ---- live ----

def ask(url, expr):
    data = urllib.parse.urlencode({"query": expr}).encode()
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url + "/api/v1/query", data, 60) as r:
            return json.load(r)
    except urllib.error.HTTPError as e:
        return json.load(e)


def live(url, paths):
    n = 0
    for path in paths:
        for where, expr, legend, must, d in queries(path):
            text = expr.replace("$__rate_interval", "5m")
            for v in d["templating"]["list"] if d else []:
                text = text.replace("$" + v["name"], ".*")
            a = ask(url, text)
            n += 1
            if a.get("status") != "success":
                bad(where, "%s: %s" % (a.get("error"), text))
            elif must and not a["data"]["result"]:
                bad(where, "nothing: %s" % text)
            for label in legend if must else []:
                if not any(label in r["metric"] for r in a.get("data", {}).get("result", [])):
                    bad(where, "no label %s in the answer of %s" % (label, text))
    print("%d queries" % n)


how = sys.argv[1]
if how == "structure":
    for f in sys.argv[2:]:
        structure(f)
elif how == "names":
    names(sys.argv[2], sys.argv[3], sys.argv[4:])
elif how == "live":
    live(sys.argv[2], sys.argv[3:])
print("\n".join(wrong), end="\n" if wrong else "")
sys.exit(1 if wrong else 0)
