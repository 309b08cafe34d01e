#!/bin/sh
# tests/serve/test_media.sh BUILD - sound and pictures over HTTP with real experts, those that this machine has; curl, and the OpenAI
# client where it is installed (TUTTI_CLIENT, see test_serve.sh); prints TAP.
# plain build only: the time is that of flite, PocketSphinx and Tesseract; the ways to them are in tests/serve/test_media and tests/task.
build=${1:-build} tutti=${1:-build}/tutti
. tests/tap.sh
export XDG_CONFIG_HOME="$tmp" XDG_CACHE_HOME="$tmp" XDG_DATA_HOME="$tmp" XDG_STATE_HOME="$tmp" no_proxy='*'
unset TUTTI_MODELS
skip() { n=$((n + 1)); echo "# skipped: $2"; echo "ok $n - $1 # SKIP"; }
command -v curl >/dev/null || { skip "real experts over HTTP" "no curl"; echo "1..$n"; exit 0; }

# Who works here?
has_espeak= has_flite= has_ear= has_ocr=
"$tutti" expert check examples/cards/espeak.yaml >/dev/null 2>&1 && has_espeak=1
"$tutti" expert check examples/cards/flite.yaml >/dev/null 2>&1 && has_flite=1
"$tutti" expert check examples/cards/pocketsphinx.yaml >/dev/null 2>&1 && has_ear=1
"$tutti" expert check examples/cards/tesseract.yaml >/dev/null 2>&1 && has_ocr=1
{
    echo "listen: 127.0.0.1:0"
    echo "experts:"
    echo "  - $PWD/models/tutti-tiny.gguf"
    for e in ${has_flite:+flite} ${has_espeak:+espeak} ${has_ear:+pocketsphinx} ${has_ocr:+tesseract}; do echo "  - $PWD/examples/cards/$e.yaml"; done
} >"$tmp/tutti.yaml"
: >"$tmp/out"
"$tutti" serve --config "$tmp/tutti.yaml" >"$tmp/out" 2>"$tmp/err" &
pid=$!
trap 'kill -9 $pid 2>/dev/null; rm -rf "$tmp"' EXIT
url=
for i in $(seq 1200); do
    url=$(sed -n 's/^listening on //p' "$tmp/out")
    [ -n "$url" ] && break
    kill -0 $pid 2>/dev/null || break
    sleep 0.05
done
rc=$([ -n "$url" ] && echo 0 || echo 1); check "it listens" 0
ask() { path=$1; shift; curl -sS --max-time 120 "$@" "$url$path" -o "$tmp/got" -w '%{http_code} %{content_type}\n' >"$tmp/code" 2>"$tmp/err"; rc=$?; }
say() { ask /v1/audio/speech -d "{\"model\":\"$1\",\"input\":\"$2\",\"response_format\":\"$3\"}"; }

voice=${has_flite:+flite}; voice=${voice:-${has_espeak:+espeak}}
if [ -n "$voice" ]; then
    say $voice "hello world" pcm; cp "$tmp/got" "$tmp/pcm"
    check "$voice speaks, as bare samples" 0 'grep -q "^200 audio/pcm" code' '[ "$(wc -c <pcm)" -gt 10000 ]'
    say $voice "hello world" wav; cp "$tmp/got" "$tmp/hello.wav"
    check "$voice speaks, as WAV" 0 'grep -q "^200 audio/wav" code' '[ "$(head -c 4 hello.wav)" = RIFF ]' '[ "$(wc -c <hello.wav)" -gt 10000 ]'
    say $voice "$(yes 'a long sentence follows the other.' | head -n 100 | tr '\n' ' ')" pcm
    check "a long text is spoken to its end" 0 'grep -q "^200" code' '[ "$(wc -c <got)" -gt 3000000 ]'
else
    skip "text is spoken" "neither flite nor espeak-ng"
fi
if [ -n "$voice" ] && [ -n "$has_ear" ]; then
    hear() { ask /v1/audio/transcriptions -F "file=@$tmp/hello.wav" "$@"; }
    hear; check "what was spoken is heard" 0 'grep -q "^200 application/json" code' 'grep -q "{\"text\":\"[a-z]" got'
    hear -F response_format=verbose_json -F 'timestamp_granularities[]=word'
    check "with the times of words" 0 'grep -q "\"words\":\[{\"word\":\"[a-z]*\",\"start\":" got'
    hear -F stream=true; check "and as a stream" 0 'grep -q "transcript.text.done" got' '[ "$(grep -v "^$" got | tail -n 1)" = "data: [DONE]" ]'
    head -c 40 "$tmp/hello.wav" >"$tmp/cut.wav"; ask /v1/audio/transcriptions -F "file=@$tmp/cut.wav"
    check "a sound that is cut in its head is refused" 0 'grep -q "^400" code' 'grep -q invalid_value got'
    ask /v1/audio/transcriptions -F 'file=@tests/serve/test_media.sh'
    check "a script is no sound" 0 'grep -q "^400" code'
else
    skip "speech is heard" "no voice, or no PocketSphinx"
fi
picture=${TUTTI_SHARED:-../shared}/models/media/text/line_hello.png
if [ -n "$has_ocr" ] && [ -r "$picture" ]; then
    ask /v1/tutti/vision/ocr -F "image=@$picture"; check "a picture is read" 0 'grep -q "\"text\":\"Hello World 2026" got' 'grep -q "\"model\":\"tesseract\"" got'
    ask /v1/tutti/vision/describe --data-binary "@$picture" -H 'content-type: image/png'
    check "and described as far as that goes" 0 'grep -q "No vision-language model" got' 'grep -q "Hello World 2026" got'
    head -c 300 "$picture" >"$tmp/cut.png"; ask /v1/tutti/vision/ocr --data-binary "@$tmp/cut.png" -H 'content-type: image/png'
    check "half a picture is refused" 0 'grep -q "^400" code'
else
    skip "a picture is read" "no tesseract, or no shared data"
fi
ask /v1/tutti/experts; check "all are listed with their states" 0 'grep -q "\"id\":\"tutti-tiny\"" got'

if [ -n "$TUTTI_CLIENT" ] && command -v node >/dev/null && [ -d "$TUTTI_CLIENT/node_modules/openai" ] && [ -n "$voice" ] && [ -n "$has_ear" ]; then
    node tests/serve/client/media.mjs "$url" pocketsphinx $voice "" tutti-tiny >"$tmp/out" 2>"$tmp/err"; rc=$?
    check "the OpenAI client is content" 0 'grep -q "client tests, 0 failed" out'
else
    skip "the OpenAI client with real experts" "no OpenAI client (npm ci --prefix DIR with tests/serve/client's files, then TUTTI_CLIENT=DIR), or no experts"
fi
kill -TERM $pid; wait $pid; rc=$?
check "it ends well, with all workers" 0
echo "1..$n"
