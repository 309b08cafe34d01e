#!/bin/sh
# tests/cmd/test_model_render.sh BUILD - `tutti model render`: the text and nothing else, or one line and status 1.
tutti=$1/tutti
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
# check NAME WANTED-STATUS WANTED-OUTPUT [ARGUMENTS]: runs it on t.jinja and c.json
check() {
    name=$1 want=$2 text=$3; shift 3
    n=$((n + 1))
    "$tutti" model render "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?
    printf "$text" >"$tmp/want"
    lines=$(wc -l <"$tmp/err")
    if [ $rc -eq "$want" ] && cmp -s "$tmp/out" "$tmp/want" && [ "$lines" -eq $((want > 0)) ]; then echo "ok $n - $name"
    else sed 's/^/# /' "$tmp/out" "$tmp/err"; echo "not ok $n - $name (status $rc)"; fi
}
t=$tmp/t.jinja c=$tmp/c.json
printf '%s\n' '{"messages": [{"content": "Gr\u00fc\u00dfe\n"}], "x": "a\u0000b"}' >"$c"
printf '{%% for m in messages %%}{{ m.content }}{%% endfor %%}\n' >"$t"
check "the text, and no newline of our own" 0 'Gr\303\274\303\237e\n' --template "$t" --input "$c"
printf '{{ x }}' >"$t"
check "a zero byte inside a text" 0 'a\000b' --template "$t" --input "$c"
printf '{{ strftime_now("%%d %%b %%Y %%H:%%M:%%S %%A %%j") }}' >"$t"
check "the given time, day of the week and of the year" 0 '04 Jul 2026 15:30:09 Saturday 185' \
    --template "$t" --input "$c" --now 2026-07-04T15:30:09
check "a time that is none" 2 '' --template "$t" --input "$c" --now 2026-02-30T00:00:00
check "an input is needed" 2 '' --template "$t"
printf 'a\n{{ raise_exception("not\nso") }}' >"$t"
check "a failing render" 1 '' --template "$t" --input "$c"
grep -q 'line 2: not so' "$tmp/err" && echo "ok $((n += 1)) - it names the line" || echo "not ok $((n += 1)) - it names the line"
printf '{%% if %%}' >"$t"
check "a template that cannot be parsed" 1 '' --template "$t" --input "$c"
printf '{%% for i in range(10**9) %%}x{%% endfor %%}' >"$t"
check "an endless template" 1 '' --template "$t" --input "$c"
printf 'x' >"$t"
check "no template" 1 '' --template "$tmp/none" --input "$c"
check "no input" 1 '' --template "$t" --input "$tmp/none"
echo '[1]' >"$c"
check "an input that is no object" 1 '' --template "$t" --input "$c"
echo '{"a": ' >"$c"
check "an input that is no JSON" 1 '' --template "$t" --input "$c"
echo "1..$n"
