#!/bin/sh
# tests/cmd/test_detect.sh BUILD - `tutti detect` as a program: status, one line for each error, recordings, files that hang.
tutti=$1/tutti
. tests/tap.sh
run() { "$tutti" detect "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }

run
check "this machine, for people" 0 'grep -q "^cpu  *[^ ]" out' 'grep -q "^memory " out' '[ ! -s err ]' '! grep -qE "^.{81}" out'
run --json
check "this machine as one line of JSON" 0 '[ $(wc -l <out) -eq 1 ]' 'grep -q "\"is_live\":true" out' 'grep -q "\"gpus\":\[" out'
run --format nfd
check "labels for Node Feature Discovery" 0 'grep -q "^tutti-memory.mib=[0-9]" out' '! grep -qv "^tutti-[a-z0-9_.-]*=" out'
run --format prometheus
check "metrics" 0 'grep -q "^tutti_machine_info{" out'
run --format xml
check "an unknown format is wrong usage" 2 '[ $(wc -l <err) -eq 1 ]' '[ ! -s out ]'
run --root /nonexistent
check "no such recording" 1 '[ $(wc -l <err) -eq 1 ]' 'grep -q "^tutti: /nonexistent: " err'
mkdir "$tmp/empty"
run --root "$tmp/empty"
check "an empty folder is no machine" 1 'grep -q "not a recorded machine" err'
run --root tests/hw/machines/vm-kvm.tree --measure
check "a recording cannot be measured" 2 '[ $(wc -l <err) -eq 1 ]'
run --root tests/hw/machines/raspberry-pi-5.tree
check "a recorded Raspberry Pi 5" 0 'grep -q "Raspberry Pi 5 Model B" out' 'grep -q "17.1 GB/s in theory \[catalog" out'
run --root tests/hw/machines/intel-hybrid.tree --record "$tmp/hybrid.tar" --json
check "a recording is written beside the answer" 0 '[ -s hybrid.tar ]' 'tar -tf hybrid.tar >/dev/null'
cp "$tmp/out" "$tmp/first"
mkdir "$tmp/unpacked" && tar -xf "$tmp/hybrid.tar" -C "$tmp/unpacked"
same='[ "$(sed "s/\"root\":[^,]*,//;s/\"detect_ms\":[^,}]*//" first)" = "$(sed "s/\"root\":[^,]*,//;s/\"detect_ms\":[^,}]*//" out)" ]'
run --root "$tmp/hybrid.tar" --json
check "and read as it is" 0 "$same"
run --root "$tmp/unpacked" --json
check "and read unpacked" 0 "$same"
run --root tests/hw/machines/intel-hybrid.tree --record /nonexistent/x.tar
check "a recording that cannot be written is an error" 1 'grep -q "^tutti: /nonexistent/x.tar: " err'
# every file of the recording is a FIFO, a link into the void, or a folder
cp -r "$tmp/unpacked" "$tmp/odd"
i=0
find "$tmp/odd" -type f | while read -r f; do
    i=$((i + 1))
    case $((i % 4)) in
    0) rm "$f" && mkfifo "$f" ;;
    1) ln -sf /dev/zero "$f" ;;
    2) rm "$f" && mkdir "$f" ;;
    esac
done
timeout 60 "$tutti" detect --root "$tmp/odd" --json >"$tmp/out" 2>"$tmp/err"; rc=$?
check "FIFOs, devices and folders in place of files do not hold it up" 0 'grep -q "\"cpu\":{" out'
echo "1..$n"
