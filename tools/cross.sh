#!/bin/sh
# tools/cross.sh - builds tutti for aarch64 and runs the kernel, format, tokenizer and golden tests under qemu-user, as a machine with
# everything that qemu has (max: all levels up to i8mm).  An ARMv8.0 (cortex-a72: NEON) and an ARMv8.2 (cortex-a76: dot products) then show that
# they choose what they can do, and that it runs there: the same code, products and golden models at their own level only.
# Debian's arm64 packages are unpacked into build/sysroot; nothing outside build/ is touched.
# With TARGET... it makes these instead (tools/cross.sh deb static) and runs no test.
# CROSS_CPUS='cortex-a72 max' narrows it down; CROSS_TESTS=regex picks tests, of all of them.
cd "$(dirname "$0")/.." || exit 1
cpus=${CROSS_CPUS:-max cortex-a76 cortex-a72}
tests=${CROSS_TESTS:-/(base|dtype|kernels|gguf|token|llm)/test_}
root=$PWD/build/sysroot lib=usr/lib/aarch64-linux-gnu

for t in aarch64-linux-gnu-gcc qemu-aarch64; do
    command -v $t >/dev/null || { echo "tools/cross.sh: $t is missing: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" >&2; exit 1; }
done

# The package manager gets a state of its own, in which this machine is an arm64 one with nothing installed.
sysroot() {
    packages='libuv1 libuv1-dev libnghttp2-14 libnghttp2-dev libssl3 libssl-dev libprotobuf-c1 libprotobuf-c-dev libfyaml0 libfyaml-dev libjansson4 libjansson-dev libutf8proc2 libutf8proc-dev libsqlite3-0 libsqlite3-dev libpcre2-8-0 libpcre2-dev libhttp-parser2.9 libhttp-parser-dev'
    [ -f "$root/.complete" ] && [ "$(cat "$root/.complete")" = "$packages" ] && return
    echo "tools/cross.sh: unpacking arm64 packages into build/sysroot"
    apt=$PWD/build/apt
    rm -rf "$root" "$apt"
    mkdir -p "$root" "$apt/lists/partial" "$apt/cache/archives/partial" "$apt/debs" || return 1
    : >"$apt/status"
    set -- -qq -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State="$apt" -o Dir::State::lists="$apt/lists" \
        -o Dir::State::status="$apt/status" -o Dir::Cache="$apt/cache" -o APT::Sandbox::User=
    apt-get "$@" update &&
        (cd "$apt/debs" && apt-get "$@" download $packages) || { echo "tools/cross.sh: cannot fetch arm64 packages (no network?)" >&2; return 1; }
    for d in "$apt"/debs/*.deb; do dpkg -x "$d" "$root" || return 1; done
    rm -rf "$apt"
    echo "$packages" >"$root/.complete"
}
sysroot || exit 1

if [ $# -gt 0 ]; then
    exec make --no-print-directory -j"$(nproc)" BUILD=build/aarch64 CROSS=aarch64-linux-gnu CC=aarch64-linux-gnu-gcc SYSROOT="$root" "$@"
fi
make --no-print-directory -j"$(nproc)" BUILD=build/aarch64 CROSS=aarch64-linux-gnu CC=aarch64-linux-gnu-gcc SYSROOT="$root" \
    LDFLAGS="-Wl,-rpath,$root/$lib" all $(find tests -name 'test_*.c' | sed 's|\.c$||; s|^|build/aarch64/|' | grep -E "$tests") || exit 1

# All at once: an emulated test uses one core or two for minutes.
logs=$(mktemp -d) || exit 1
trap 'rm -rf "$logs"' EXIT
trap 'exit 130' HUP INT PIPE TERM
for cpu in $cpus; do
    case $cpu in
    max) only=$tests own='' jobs=2 ;;
    *) only=${CROSS_TESTS:-'/(kernels/test_matmul|llm/test_golden)$'} own=1 jobs=1 ;;
    esac
    TEST_JOBS=$jobs TEST_QUICK=1 TEST_OWN_LEVEL=$own TEST_NO_SCRIPTS=1 TEST_ONLY=$only TEST_RUN="qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu $cpu" \
        tools/run-tests.sh build/aarch64 >"$logs/$cpu" 2>&1 &
done
wait
passed=0 failed=0 skipped=0
for cpu in $cpus; do
    echo "== $cpu: $(qemu-aarch64 -L /usr/aarch64-linux-gnu -cpu "$cpu" build/aarch64/tutti version | tr '\n' ' ')"
    sed '$d' "$logs/$cpu"
    set -- $(tail -n 1 "$logs/$cpu")
    passed=$((passed + $1)) failed=$((failed + $3)) skipped=$((skipped + $5))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ]
