#!/bin/sh
# tests/cmd/test_cascade.sh BUILD - tutti cascade run and check from the outside; the clips of ../shared when they are there.
tutti=$1/tutti
. tests/tap.sh
run() { "$tutti" cascade "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; }
# Frames of 64 x 48 as PGM: grey, with a white block of 14 x 14 that goes from left to right in frames $2 to $3 of $1.
draw() {
    awk -v n="$1" -v from="$2" -v to="$3" 'BEGIN { for (f = 0; f < n; f++) { printf "P5\n64 48\n255\n"; x0 = (f - from) * 2
        for (y = 0; y < 48; y++) for (x = 0; x < 64; x++) printf "%s", (f >= from && f < to && x >= x0 && x < x0 + 14 && y >= 16 && y < 30) ? "~" : "P" } }'
}
sums() { # every stage of the summary in out: in = results + drops
    grep -o '"in":[0-9]*,"results":[0-9]*,"dropped":{[^}]*}' "$tmp/out" | sed 's/"[a-z]*"//g; s/[:{}]/ /g; s/,/ /g' |
        awk '{ sum = 0; for (i = 2; i <= NF; i++) sum += $i; if ($1 != sum) bad = 1 } END { exit bad || NR == 0 }'
}
cat >"$tmp/walk.yaml" <<'EOT'
name: walk
stages:
  - {name: motion, expert: motion}
  - {name: again, expert: motion, gate: motion.score > 0.01, rate: 2}
event: {when: motion.score > 0.01, join: 1 s, best: motion.score}
sinks: [{jsonl: events.jsonl}]
EOT

run check examples/cascades/smart-camera.yaml
check "the smart camera is good" 0 'grep -q "good$" out' '[ ! -s err ]'
run check "$tmp/walk.yaml" --svg "$tmp/walk.svg" --json
check "a plan is drawn and shown" 0 'grep -q "^<svg" walk.svg' 'grep -q "motion.score &gt; 0.01" walk.svg' 'grep -q "\"after\":\[\"motion\"\],\"gate\":\"motion.score > 0.01\"" out'
sed 's/gate: motion.score/gate: motion.scroe/' "$tmp/walk.yaml" >"$tmp/bad.yaml"
run check "$tmp/bad.yaml"
check "what is misspelt is one line with its place" 1 '[ ! -s out ]' '[ $(wc -l <err) -eq 1 ]' "grep -q \"bad.yaml:4:41: 'motion.scroe' is not known; did you mean 'score'\" err"
TUTTI_MODELS='' run check examples/cascades/smart-camera.yaml
check "what a run would do without is said" 0 'grep -q "^missing: objects: .*yolox_nano_416.onnx: no such file" out' 'grep -q "^missing: faces: " out'
sink() { sed "s|^sinks:.*|sinks: [{$1}]|" "$tmp/walk.yaml" >"$tmp/sink.yaml"; run check "$tmp/sink.yaml"; }
sink 'jsonl: no/where/events.jsonl'
check "a sink that could not be written is found before the start" 1 'grep -q "sink.yaml:6:[0-9]*: .*no/where: No such file" err' '[ $(wc -l <err) -eq 1 ]'
sink 'pictures: /dev/null'
check "a file is no folder of pictures" 1 'grep -q "/dev/null: no folder" err'
sink "webhook: 'ftp://hub.lan/x'"
check "nor is any address one of a web server" 1 'grep -q "http://... or https://... is wanted" err'
sink 'jsonl: later.jsonl'
check "a check makes no file" 0 '[ ! -e later.jsonl ]'
run run "$tmp/walk.yaml"
check "without a source it says so" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q -- "--source" err'

yes 2>"$tmp/yes" | "$tutti" cascade run "$tmp/walk.yaml" --source - >"$tmp/out" 2>"$tmp/err"; rc=$?
check "an endless stream without a picture comes to an end" 1 'grep -q "no picture in 64 MiB" err'
{ printf 'P5\n2 2\n255\n1234P5\n2 2\n255\n1234'; } | "$tutti" cascade run "$tmp/walk.yaml" --source - --fps 5 >"$tmp/out" 2>"$tmp/err"; rc=$?
check "why frames give nothing is said, once" 0 '[ $(grep -c "frames of 2 x 2 pixels" err) -eq 1 ]' 'grep -q "^motion *motion *2 *0 *2" out'

draw 60 20 40 >"$tmp/walk.pgm"
"$tutti" cascade run "$tmp/walk.yaml" --source - --fps 10 --json <"$tmp/walk.pgm" >"$tmp/out" 2>"$tmp/err"; rc=$?
check "what walks through is one event, its times are those of the stream" 0 '[ $(grep -c "\"event\":" out) -eq 1 ]' 'grep -q "\"event\":1,.*\"start\":2.000,\"end\":\(3.9\|4.\)" out' \
    'grep -q "\"stage\":\"motion\",\"expert\":\"motion\",\"in\":60,\"results\":60," out' 'cmp -s events.jsonl - <<X
$(head -n 1 out)
X'
if sums; then ok "the sums hold"; else not_ok "the sums hold"; fi
draw 40 100 100 | "$tutti" cascade run "$tmp/walk.yaml" --source - --fps 10 >"$tmp/out" 2>"$tmp/err"; rc=$?
check "where nothing moves there is no event and nobody is woken" 0 'grep -q "40 frames .* 0 events" out' 'grep -q "^again *motion *40 *0 *40" out'
head -c 100000 "$tmp/walk.pgm" | "$tutti" cascade run "$tmp/walk.yaml" --source - --fps 10 --json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "a stream that is cut off is an error behind what was seen" 1 'grep -q "cut off" err' 'grep -q "summary" out'
echo nonsense and more of it | "$tutti" cascade run "$tmp/walk.yaml" --source - --json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "bytes that are no picture give no frame" 0 'grep -q "\"pieces\":0" out'
mkdir "$tmp/frames"; draw 12 6 9 | split -b 3085 - "$tmp/frames/f-"
run run "$tmp/walk.yaml" --source "$tmp/frames" --json
check "a folder of pictures is a stream, too" 0 'grep -q "\"pieces\":12" out' '[ $(grep -c "\"event\":" out) -eq 1 ]'
echo "broken" >"$tmp/frames/f-ae"; printf 'P5\n64 48\n255\nshort' >"$tmp/frames/f-af"
run run "$tmp/walk.yaml" --source "$tmp/frames" --json
check "a broken frame costs itself only" 0 'grep -q "\"pieces\":11" out' 'grep -q "\"stage\":\"motion\",\"expert\":\"motion\",\"in\":11,\"results\":10,.*\"error\":1" out'

find_worker() { # of $pid: once it is there, the run has begun
    worker=
    for i in $(seq 1200); do
        worker=$(cat /proc/$pid/task/*/children 2>/dev/null | awk 'NR == 1 { print $1 }')
        [ -n "$worker" ] && return
        kill -0 $pid 2>/dev/null || return
        sleep 0.05
    done
}
# the process of the first stage dies in the middle: one more is started, nothing is lost
if mkfifo "$tmp/pipe" 2>/dev/null && [ -r /proc/self/stat ] && [ -z "$TEST_RUN" ]; then
    "$tutti" cascade run "$tmp/walk.yaml" --source - --fps 10 --json <"$tmp/pipe" >"$tmp/out" 2>"$tmp/err" & pid=$!
    exec 3>"$tmp/pipe"
    head -c 61700 "$tmp/walk.pgm" >&3 # 20 frames
    find_worker
    [ -n "$worker" ] && kill -9 "$worker" 2>/dev/null
    tail -c +61701 "$tmp/walk.pgm" >&3
    exec 3>&-
    wait $pid; rc=$?
    check "a killed expert is started again: every frame has its result" 0 'grep -q "\"stage\":\"motion\",\"expert\":\"motion\",\"in\":60,\"results\":60," out'
    if sums; then ok "the sums hold in spite of the death"; else not_ok "the sums hold in spite of the death"; fi
else
    skip "a killed expert" "no fifo or no /proc"
fi

# live and told to stop
if mkfifo "$tmp/live" 2>/dev/null && [ -r /proc/self/stat ] && [ -z "$TEST_RUN" ]; then
    "$tutti" cascade run "$tmp/walk.yaml" --source - --live --json <"$tmp/live" >"$tmp/out" 2>"$tmp/err" & pid=$!
    exec 3>"$tmp/live"
    cat "$tmp/walk.pgm" >&3
    find_worker
    kill -TERM $pid
    wait $pid; rc=$?
    exec 3>&-
    check "a live run that is told to stop ends with its accounting" 0 'grep -q "summary" out'
fi

# the clips: no event missed, four of five detector calls saved
shared=${TUTTI_SHARED:-../shared}
clips=$shared/models/media/video
if [ ! -r "$clips/person_walk.mp4" ]; then
    skip "the clips of ../shared" "no shared data"
else
    clip() { # NAME FRAMES FROM TO [OPTIONS]: an event between FROM and TO seconds
        name=$1 frames=$2 from=$3 to=$4; shift 4
        run run examples/cascades/smart-camera.yaml --models "$shared/models" --source "$clips/$name" --json "$@"
        if [ "$rc" -eq 1 ] && grep -q "apt-get install\|npm i " "$tmp/err"; then skip "$name" "$(head -c 120 "$tmp/err")"; return; fi
        if grep -q '"stage":"objects".*"error":[1-9]' "$tmp/out"; then skip "$name" "no detector runs here"; return; fi
        calls=$(grep -o '"stage":"objects","expert":"yolox","in":[0-9]*,"results":[0-9]*' "$tmp/out" | grep -o '[0-9]*$')
        echo "# $name: $frames frames, ${calls:-no} detector calls, $(grep -c '"event":' "$tmp/out") event(s): $(grep -o '"start":[0-9.]*,"end":[0-9.]*' "$tmp/out" | tr '\n' ' ')"
        check "$name: its event is found, at most every fifth frame is looked at by the detector" 0 \
            '[ $(( ${calls:-99999} * 5 )) -le '"$frames"' ]' \
            "grep -o '\"start\":[0-9.]*,\"end\":[0-9.]*' out | tr -c '0-9.\n' ' ' | awk -v a=$from -v b=$to '\$1 <= a && \$2 >= b { found = 1 } END { exit !found }'"
    }
    clip person_walk.mp4 200 5.5 16.5
    clip car_pass.mp4 80 2.5 5.5
    clip person_walk_2fps.mjpeg 40 5.5 16.5
    clip car_pass_2fps.mjpeg 16 2.5 5.5
    clip person_walk_frames 20 5.5 16.5
fi
echo "1..$n"
