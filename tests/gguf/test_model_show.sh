#!/bin/sh
# tests/gguf/test_model_show.sh BUILD - `tutti model show` on good and bad files; prints TAP.
build=${1:-build}
shared=${TUTTI_SHARED:-../shared}
tutti() { $TEST_RUN "$build/tutti" "$@"; }
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
ok() { n=$((n + 1)); echo "ok $n - $1"; }
not_ok() { n=$((n + 1)); echo "not ok $n - $1"; shift; for line in "$@"; do echo "# $line"; done; }

# what WANTED-STATUS WANTED-TEXT ARGUMENTS...: one line on stderr, nothing on stdout
fails() {
    what=$1 want=$2 text=$3; shift 3
    said=$(tutti "$@" 2>&1 >"$tmp/out"); rc=$?
    if [ $rc -eq "$want" ] && [ "$(printf '%s\n' "$said" | wc -l)" -eq 1 ] && [ ! -s "$tmp/out" ] && printf '%s' "$said" | grep -qF -e "$text"; then
        ok "$what"
    else
        not_ok "$what" "status $rc: $said"
    fi
}

if ! $TEST_RUN "$build/tools/gen-model" tiny-qwen2 q4_k_m "$tmp/qwen.gguf"; then
    echo "# skipped: $build/tools/gen-model does not run"; echo "ok 1 - model show # SKIP"; echo 1..1
    exit 0
fi
said=$(tutti model show "$tmp/qwen.gguf")
missing=
for want in 'architecture  qwen2' 'tiny qwen2' 'weights       q4_k' 'context       2048 tokens' '512 tokens, gpt2 (qwen2)' 'chat template yes' 'heads         8, 2 of'; do
    printf '%s' "$said" | grep -qF "$want" || missing="$missing '$want'"
done
if [ -z "$missing" ]; then ok "a generated model is described"; else not_ok "a generated model is described" "missing:$missing"; fi
if tutti model show --tensors "$tmp/qwen.gguf" | awk 'NR > 1 && length($0) > 80 { exit 1 } /blk.3.ffn_down.weight .* 768 x 256/ { seen = 1 } END { exit !seen }'; then
    ok "tensors are listed within 80 columns"
else
    not_ok "tensors are listed within 80 columns"
fi

if command -v python3 >/dev/null; then
    cat >"$tmp/check.py" <<'PY'
import json, sys
def check(d):
    keys = ("version architecture name file_bytes parts parameters tensor_count tensor_bytes types context_length layers "
            "embedding_length vocabulary chat_template metadata").split()
    assert list(d)[:len(keys)] == keys, list(d)
    assert d["version"] in (2, 3) and d["tensor_count"] == sum(t["tensors"] for t in d["types"].values())
    assert d["tensor_bytes"] == sum(t["bytes"] for t in d["types"].values()) <= d["file_bytes"]
    assert d["parameters"] == sum(t["parameters"] for t in d["types"].values())
    assert d["metadata"]["general.architecture"] == d["architecture"]
    for v in d["metadata"].values():
        assert not isinstance(v, list) or len(v) <= 16
        if isinstance(v, dict):
            assert v["type"] == "array" and v["length"] > 16 and len(v["first"]) == 4 or v["type"] == "string"
    if "tensors" in d:
        assert len(d["tensors"]) == d["tensor_count"] and sum(t["bytes"] for t in d["tensors"]) == d["tensor_bytes"]
        for t in d["tensors"]:
            assert t["name"] and t["type"] in d["types"] and 1 <= len(t["shape"]) <= 4 and t["part"] == 1
text, at, n = sys.stdin.read(), 0, 0
while at < len(text):
    d, at = json.JSONDecoder().raw_decode(text, at)
    at += 1 # the newline
    check(d)
    n += 1
assert n == int(sys.argv[1]), n
PY
    check_json() { for f in "$@"; do tutti model show --json --tensors "$f"; done | python3 "$tmp/check.py" $#; }
    if check_json "$tmp/qwen.gguf"; then ok "the JSON holds what --help says"; else not_ok "the JSON holds what --help says"; fi
    for folder in golden/arch golden/quant vocab models/llm; do
        if [ ! -d "$shared/$folder" ]; then
            echo "# skipped: no shared data ($shared/$folder)"; n=$((n + 1)); echo "ok $n - all of $folder # SKIP"
            continue
        fi
        bad=
        for f in "$shared/$folder"/*.gguf; do tutti model show "$f" >/dev/null || bad="$bad $f"; done
        if [ -z "$bad" ] && check_json "$shared/$folder"/*.gguf; then ok "all of $folder"; else not_ok "all of $folder" "$bad"; fi
    done
fi

printf 'GGUF\003\000\000\000\000\000\000\000\000\000\000\020\000\000\000\000\000\000\000\000' >"$tmp/lie.gguf"
head -c 100000 "$tmp/qwen.gguf" >"$tmp/cut.gguf"
: >"$tmp/empty.gguf"
echo text >"$tmp/text.gguf"
mkfifo "$tmp/fifo"
fails "a lie about 2^60 tensors" 1 "tensors do not fit" model show "$tmp/lie.gguf"
fails "a file cut short names the tensor" 1 "ends at byte" model show "$tmp/cut.gguf"
fails "an empty file" 1 "tutti: $tmp/empty.gguf: the file is empty" model show "$tmp/empty.gguf"
fails "a text file, as JSON too" 1 "not a GGUF file" model show --json "$tmp/text.gguf"
fails "a fifo does not make us wait" 1 "not a regular file" model show "$tmp/fifo"
fails "a folder" 1 "not a regular file" model show "$tmp"
fails "no such file" 1 "$tmp/none.gguf" model show "$tmp/none.gguf"
fails "no argument" 2 "model show" model show
fails "an unknown option" 2 "--tensor" model show --tensor "$tmp/qwen.gguf"
if [ -w /dev/full ] && tutti model show --json --tensors "$tmp/qwen.gguf" >/dev/full 2>"$tmp/said"; then
    not_ok "a full disk is an error"
else
    ok "a full disk is an error"
fi
echo "1..$n"
