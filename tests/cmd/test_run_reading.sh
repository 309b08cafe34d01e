#!/bin/sh
# tests/cmd/test_run_reading.sh BUILD - `tutti run` with the cards that read, speak and embed.
tutti=$1/tutti
models=${TUTTI_SHARED:-../shared}/models
. tests/tap.sh
run() { "$tutti" run "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
# A card whose library is not installed says how to get it: then that check is skipped.
card() { # NAME-OF-CHECK COMMANDS... : checks what run() left, or skips
    if [ "$rc" -eq 1 ] && grep -q "apt-get install\|npm i " "$tmp/err"; then n=$((n + 1)); echo "ok $n - $1 # SKIP $(head -c 120 "$tmp/err")"; return; fi
    what=$1; shift
    check "$what" 0 '[ ! -s err ]' "$@"
}

run examples/cards/flite.yaml "Hello world." --out "$tmp/a.wav"
card "flite speaks into a file" '[ "$(head -c 4 a.wav)" = RIFF ]' '[ $(wc -c <a.wav) -gt 20000 ]'
run examples/cards/espeak.yaml "Hello world." --out "$tmp/b.wav"
card "espeak-ng speaks into a file, from within the sandbox" '[ "$(head -c 4 b.wav)" = RIFF ]' '[ $(wc -c <b.wav) -gt 20000 ]'
if [ ! -d "$models" ]; then
    echo "# skipped: no shared data ($models)"; echo "ok $((n + 1)) - the rest # SKIP"; echo "1..$((n + 1))"; exit 0
fi
TUTTI_MODELS=$models; export TUTTI_MODELS
run examples/cards/tesseract.yaml "$models/media/text/receipt.png"
card "tesseract reads a receipt, line by line" 'grep -qx "CORNER SHOP" out' 'grep -qx "Bread 2.40" out' '[ $(wc -l <out) -eq 9 ]'
run examples/cards/ppocr.yaml "$models/media/text/sign_exit.jpg" --json
card "PP-OCR reads a sign, with boxes" 'grep -q "\"text\":\"EXIT 24 Main Street\"" out' 'grep -q "\"words\":\[{\"text\":\"EXIT\",\"score\":[0-9.]*,\"box\":\[" out'
run examples/cards/glove50.yaml "a cat" "two dogs" --json
card "word vectors: a line for each text" '[ $(grep -c "^{\"embedding\":\[" out) -eq 2 ]'
run examples/cards/glove50-onnx.yaml "a cat" --json
card "the same by ONNX Runtime" 'grep -q "^{\"embedding\":\[" out'
run examples/cards/glove50.yaml "of the"
check "a text without a known word is one line and status 1" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' 'grep -q "vocabulary" err'
echo "1..$n"
