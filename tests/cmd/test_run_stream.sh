#!/bin/sh
# tests/cmd/test_run_stream.sh BUILD - `tutti run` with videos and sound devices, as far as ffmpeg and ALSA's plug-ins go without hardware.
tutti=$1/tutti
. tests/tap.sh
run() { "$tutti" run "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
card() { # as in test_run_reading.sh: what is not installed skips
    if [ "$rc" -eq 1 ] && grep -q "apt-get install\|npm i " "$tmp/err"; then n=$((n + 1)); echo "ok $n - $1 # SKIP $(head -c 120 "$tmp/err")"; return; fi
    what=$1; shift
    check "$what" 0 '[ ! -s err ]' "$@"
}
cat >"$tmp/motion.yaml" <<'EOT'
task: motion
kind: motion
fps: 10
EOT
if command -v ffmpeg >/dev/null && ffmpeg -v error -f lavfi -i "color=gray:s=160x120:r=10:d=4,drawbox=x=40:y=30:w=40:h=60:c=white:t=fill:enable='gte(t,2)'" -y "$tmp/a.mp4" 2>/dev/null; then
    run "$tmp/motion.yaml" "$tmp/a.mp4" --json
    card "a video's frames go through one session, and what moves is said with its time" \
        '[ "$(head -n 1 out | cut -c 1-14)" = "{\"time\":2.000," ]' '[ $(wc -l <out) -eq 20 ]' 'grep -q "\"label\":\"motion\"" out'
    run "$tmp/motion.yaml" "$tmp/a.mp4" --fps 5
    card "fewer frames when they are asked for" '[ $(grep -c " s$" out) -eq 10 ]'
    run "$tmp/motion.yaml" "$tmp/a.mp4" --out "$tmp/x.png"
    check "a stream makes no picture" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "stream" err'
    echo "no video" >"$tmp/b.mp4"
    run "$tmp/motion.yaml" "$tmp/b.mp4"
    check "what is no video is one line and status 1" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' 'grep -q "b.mp4" err'
else
    n=$((n + 1)); echo "ok $n - videos # SKIP no ffmpeg that makes one"
fi
run "$tmp/motion.yaml" /dev/video-none
check "a camera that is not there is one line and status 1" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "video-none" err'

printf 'pcm.loud { type plug slave.pcm { type file file "%s" format "raw" slave.pcm "null" } }\npcm.null { type null }\n' "$tmp/loud.raw" >"$tmp/asound.conf"
ALSA_CONFIG_PATH=$tmp/asound.conf; export ALSA_CONFIG_PATH
run examples/cards/flite.yaml "Hello world." --out speaker:loud
card "speech goes to the loudspeaker" '[ $(wc -c <loud.raw) -gt 20000 ]'
run examples/cards/flite.yaml "Hello world." --out speaker:nowhere
if grep -q "apt-get" "$tmp/err"; then n=$((n + 1)); echo "ok $n - no loudspeaker # SKIP $(head -c 120 "$tmp/err")"
else check "a loudspeaker that is not there is one line and status 1" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "nowhere" err'; fi
echo "1..$n"
