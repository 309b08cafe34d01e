#!/bin/sh
# tests/cmd/test_voice.sh BUILD - the voice loop with real experts: a question is spoken, heard, answered, and the answer is spoken.
# plain build only: the time is that of espeak and PocketSphinx; the loop is in tests/pipeline/test_voice.
tutti=$1/tutti
. tests/tap.sh

run() { "$tutti" cascade run "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

"$tutti" cascade check examples/cascades/voice.yaml >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the example is good" 0 'grep -q ": good" out'
sed 's/  speak: .*/  speek: x/' examples/cascades/voice.yaml >"$tmp/bad.yaml"
sed -i "s|\.\./|$PWD/examples/|" "$tmp/bad.yaml"
"$tutti" cascade check "$tmp/bad.yaml" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a misspelt key has its place and the nearest" 1 "grep -q \"bad.yaml:[0-9]*:[0-9]*: 'speek' is not known here; did you mean 'speak'\" err"

if ! "$tutti" run examples/cards/flite.yaml "What is the capital of France?" --out "$tmp/q.wav" >"$tmp/out" 2>"$tmp/err" ||
    ! "$tutti" run examples/cards/pocketsphinx.yaml "$tmp/q.wav" >"$tmp/out" 2>"$tmp/err"; then
    ok "the voice loop # SKIP flite or PocketSphinx is not here" true
else
    # 0.6 s of silence end a turn: some of it behind the question
    { head -c 44 "$tmp/q.wav"; tail -c +45 "$tmp/q.wav"; head -c 64000 /dev/zero; } >"$tmp/question.wav"
    python3 - "$tmp/question.wav" <<'E2' 2>/dev/null || true
import struct, sys
b = bytearray(open(sys.argv[1], 'rb').read())
struct.pack_into('<I', b, 4, len(b) - 8)
struct.pack_into('<I', b, 40, len(b) - 44)
open(sys.argv[1], 'wb').write(b)
E2
    run examples/cascades/voice.yaml --source "$tmp/question.wav" --out "$tmp/answer.wav" --json
    check "a spoken question is answered aloud" 0 'grep -q "\"turn\":1,.*\"interrupted\":false.*\"total_ms\":[0-9]" out' '[ $(wc -c <answer.wav) -gt 8000 ]'
    check "its legs are numbers, and nothing failed" 0 'grep "\"turn\":1" out | grep -q "\"hear_ms\":[0-9.]*,\"token_ms\":[0-9.]*,\"sentence_ms\":[0-9.]*,\"voice_ms\":[0-9.]*" ' 'grep -q "\"error\":null" out'
    "$tutti" cascade run examples/cascades/voice.yaml --source "$tmp/question.wav" --out - >"$tmp/said.wav" 2>"$tmp/err"; rc=$?
    check "on stdout there is only sound" 0 '[ "$(head -c 4 said.wav)" = RIFF ]' 'grep -q "1 turn" err'
fi
run examples/cascades/smart-camera.yaml --source x --out y.wav
check "a cascade without a voice has nothing to say" 1 'grep -q "has no .voice." err' '[ $(wc -l <err) -eq 1 ]'
echo "1..$n"
