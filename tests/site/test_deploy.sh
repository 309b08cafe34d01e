#!/bin/sh
# deploy/: the units are understood by systemd, the package installs, runs and goes away without a trace, the root file systems of the
# container images run, labels are written as Node Feature Discovery wants them.
# plain build only: packages and root file systems are made of the plain build; units and labels are judged by systemd and dpkg.
tutti=$(cd "$1" && pwd)/tutti
build=$1
. tests/tap.sh
skip() { n=$((n + 1)); echo "ok $n - $1 # SKIP $2"; echo "# skipped: $2"; }
run() { "$@" >"$tmp/out" 2>"$tmp/err"; rc=$?; }
unset MAKEFLAGS MFLAGS MAKEOVERRIDES
# a sanitizer's build is for tests, not for packages
case $build in *san*) is_plain=false ;; *) is_plain=true ;; esac
case $(dpkg --print-architecture 2>/dev/null) in amd64 | arm64) ;; *) is_plain=false ;; esac

# ---- units
if command -v systemd-analyze >/dev/null; then
    mkdir "$tmp/units"
    for f in deploy/systemd/*.service; do sed "s|/usr/bin/tutti|$tutti|" "$f" >"$tmp/units/${f##*/}"; done
    run systemd-analyze verify --man=no "$tmp"/units/*.service
    check 'systemd finds nothing wrong with the units' "$rc" '! grep -E "tutti[a-z-]*.service" err'
    for f in deploy/systemd/*.service; do
        run systemd-analyze security --offline=true --threshold=30 "$f"
        if grep -q 'nrecognized option' "$tmp/err"; then skip "${f##*/}: exposure" 'this systemd-analyze judges no files'; else
            check "${f##*/}: exposure at most 3.0 of 10" 0
        fi
    done
else
    skip 'systemd finds nothing wrong with the units' 'no systemd-analyze'
fi

# ---- Quadlet: keys of podman-systemd.unit(5) 4.4
awk -F= '
/^\[/ { section = $0; next } /^#|^$/ { next }
section == "[Container]" && $1 !~ /^(Image|ContainerName|Notify|Exec|PublishPort|Volume|Environment|ReadOnly|NoNewPrivileges|DropCapability|UserNS|AddDevice|PodmanArgs)$/ { print; bad = 1 }
section !~ /^\[(Unit|Container|Service|Install)\]$/ { print section; bad = 1 }
END { exit bad }' deploy/quadlet/tutti.container >"$tmp/out" 2>"$tmp/err"; rc=$?
check 'the Quadlet has only keys that Podman 4.4 knows' 0

# ---- labels
"$tutti" detect --format nfd --out "$tmp/tutti" --every 3600 & p=$!
i=0; while [ ! -e "$tmp/tutti" ] && [ $i -lt 300 ]; do i=$((i + 1)); sleep 0.1; done
kill "$p"; wait "$p"; rc=$? # what is a container's first process must end by SIGTERM by itself
cp "$tmp/tutti" "$tmp/out"; : >"$tmp/err"
check 'labels are a feature file that expires' 0 'head -n 1 tutti | grep -qE "^# [+]expiry-time=20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z$"' \
    '! sed 1d tutti | grep -vE "^tutti-[A-Za-z0-9._-]+=[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?$"' 'grep -q ^tutti-cpu tutti' 'test ! -e .tutti.new'
run "$tutti" detect --format nfd --every 5
check '--every wants a file' 2

# ---- the package
if ! $is_plain || ! command -v dpkg-deb >/dev/null; then
    skip 'the package' 'no plain build for a Debian architecture'
else
    run make -s BUILD="$build" deb
    deb=$(ls "$build"/tutti_*_*.deb 2>/dev/null | head -n 1)
    check 'make deb' 0 "test -s '$PWD/$deb'"
    cp "$deb" "$tmp/first.deb"; run make -s BUILD="$build" deb
    check 'and again: the same bytes' 0 "cmp first.deb '$PWD/$deb'"
    root=$tmp/root
    mkdir -p "$root/var/lib/dpkg/info" "$root/var/lib/dpkg/updates" "$root/var/lib/dpkg/triggers"
    : >"$root/var/lib/dpkg/status"
    dpkg_here() { PATH=$PATH:/usr/sbin:/sbin run dpkg --root="$root" --force-not-root --force-depends --force-script-chrootless --force-bad-path --log=/dev/null "$@"; }
    dpkg_here -i "$deb"
    check 'installs' 0 'root/usr/bin/tutti version' 'test -f root/usr/lib/systemd/system/tutti.service' 'root/usr/bin/tutti run root/usr/share/tutti/models/tutti-tiny.gguf "once upon" --max-tokens 4'
    mkdir -p "$root/var/lib/private/tutti" && : >"$root/var/lib/private/tutti/state"
    dpkg_here -r tutti
    check 'is removed; settings and state stay' 0 'test ! -e root/usr/bin/tutti' 'test -f root/etc/tutti/tutti.yaml' 'test -f root/var/lib/private/tutti/state'
    dpkg_here -P tutti
    check 'is purged without a trace' 0 '[ -z "$(find root -type f ! -path "root/var/lib/dpkg/*")" ]'
    objdump -p "$build/deb/tutti" 2>/dev/null | grep -E 'RPATH|RUNPATH' >"$tmp/out"; rc=0
    check 'the program carries no path of this machine' 0 '! test -s out'
    if command -v lintian >/dev/null; then
        run lintian --suppress-tags bogus-mail-host,bogus-mail-host-in-debian-changelog --allow-root "$deb"
        check 'lintian finds no error' 0
    else
        skip 'lintian finds no error' 'no lintian'
    fi
fi

# ---- root file systems
enter() { # enter ROOT ARGS...: the program there, as a container has it
    r=$1; shift
    if [ "$(id -u)" = 0 ]; then run chroot "$r" /usr/bin/tutti "$@"; else run unshare -r chroot "$r" /usr/bin/tutti "$@"; fi
}
if ! $is_plain || ! { [ "$(id -u)" = 0 ] || unshare -r true 2>/dev/null; }; then
    skip 'root file systems' 'no plain build, or nobody may chroot here'
else
    run make -s BUILD="$build" static
    check 'a program without shared libraries' 0 "! ldd '$PWD/$build/tutti-static'" "test \$(stat -c %s '$PWD/$build/tutti-static') -lt 20000000"
    for kind in static full; do
        run deploy/build-rootfs.sh $kind "$build" "$tmp/$kind"
        check "build-rootfs.sh $kind" 0
        for words in 'version' 'detect --format json' 'catalog soc' 'device-plugin --list'; do
            enter "$tmp/$kind" $words
            check "$kind: tutti $words" 0
        done
        enter "$tmp/$kind" run /usr/share/tutti/models/tutti-tiny.gguf 'once upon' --max-tokens 4
        check "$kind: answers with the bundled model" 0 'test -s out'
    done
    mkdir -p "$tmp/mine" && echo dear >"$tmp/mine/letter"
    run deploy/build-rootfs.sh static "$build" "$tmp/mine"
    check 'a folder with files of others is left alone' 1 'test -f mine/letter'
fi
echo "1..$n"
