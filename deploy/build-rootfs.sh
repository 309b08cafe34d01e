#!/bin/sh
# deploy/build-rootfs.sh KIND BUILD DIR - the root file system of a container image, made without a container engine.
#   static   the program alone (BUILD/tutti-static), users, certificates, time zones are the host's: a few MB; router, plan, device
#            plugin, labels and models of our own engine
#   full     the program (BUILD/tutti) with its shared libraries, the C library, and what experts load at run time as far as this
#            machine has it (pictures, sound, reading, speech; ONNX Runtime when TUTTI_ORT names it), like the distroless stage of the Containerfile
# The Containerfile's stages run this very script, so that both ways give the same files.
# Try it: chroot DIR /usr/bin/tutti version;  tar -C DIR -c . | podman import - tutti
set -e
kind=$1 build=$2 dir=$3
here=$(cd "$(dirname "$0")/.." && pwd)
case $kind in static | full) ;; *) echo "deploy/build-rootfs.sh: static or full is wanted, and BUILD and DIR" >&2; exit 2 ;; esac
[ -n "$dir" ] || { echo "deploy/build-rootfs.sh: KIND BUILD DIR are wanted" >&2; exit 2; }
if [ -e "$dir" ] && [ ! -e "$dir/.tutti-rootfs" ] && [ -n "$(ls -A "$dir")" ]; then
    echo "deploy/build-rootfs.sh: $dir: there is something in it that is not ours" >&2; exit 1
fi
rm -rf "$dir"
mkdir -p "$dir"
: >"$dir/.tutti-rootfs"
mkdir -p "$dir/usr/bin" "$dir/usr/share/tutti/models" "$dir/usr/share/tutti/cards" "$dir/etc" "$dir/proc" "$dir/sys" "$dir/dev" "$dir/run" "$dir/tmp" "$dir/models" "$dir/state"
chmod 1777 "$dir/tmp" "$dir/state"
printf 'root:x:0:0:root:/:/sbin/nologin\ntutti:x:65532:65532:tutti:/state:/sbin/nologin\n' >"$dir/etc/passwd"
printf 'root:x:0:\ntutti:x:65532:\n' >"$dir/etc/group"
printf 'hosts: files dns\n' >"$dir/etc/nsswitch.conf"
cp "$here"/models/*.gguf "$dir/usr/share/tutti/models/"
cp "$here"/examples/cards/*.yaml "$dir/usr/share/tutti/cards/"
for f in /etc/ssl/certs/ca-certificates.crt; do # remote experts speak TLS
    if [ -f "$f" ]; then mkdir -p "$dir${f%/*}"; cp "$f" "$dir$f"; fi
done

if [ "$kind" = static ]; then
    cp "$build/tutti-static" "$dir/usr/bin/tutti"
else
    mkdir -p "$dir/usr/lib" "$dir/usr/lib64" # one /usr, as Debian has it
    ln -s usr/lib "$dir/lib"
    ln -s usr/lib64 "$dir/lib64"
    put() { [ -e "$dir$1" ] || { mkdir -p "$dir${1%/*}"; cp -L "$1" "$dir$1"; }; }
    # what a program or library needs, at the places where it lies here
    add_needs() {
        for f in $(ldd "$1" | sed -n -e 's/.*=> \(\/[^ ]*\).*/\1/p' -e 's/^[[:space:]]*\(\/[^ ]*ld-linux[^ ]*\).*/\1/p'); do put "$f"; done
    }
    strip -o "$dir/usr/bin/tutti" "$build/tutti"
    add_needs "$build/tutti"
    triple=$(gcc -print-multiarch 2>/dev/null || dpkg-architecture -qDEB_HOST_MULTIARCH)
    for l in libturbojpeg.so.0 libspng.so.0 libwebp.so.7 libsndfile.so.1 libsoxr.so.0 libasound.so.2 libtesseract.so.5 libpocketsphinx.so.3 libflite.so.1 \
        libflite_cmu_us_awb.so.1 libflite_cmu_us_kal.so.1 libflite_cmu_us_kal16.so.1 libflite_cmu_us_rms.so.1 libflite_cmu_us_slt.so.1; do
        if [ -e "/usr/lib/$triple/$l" ]; then put "/usr/lib/$triple/$l"; add_needs "/usr/lib/$triple/$l"; else echo "deploy/build-rootfs.sh: $l is not here and left out" >&2; fi
    done
    if [ -x /usr/bin/espeak-ng ]; then put /usr/bin/espeak-ng; add_needs /usr/bin/espeak-ng; fi
    for d in /usr/share/tesseract-ocr /usr/share/pocketsphinx "/usr/lib/$triple/espeak-ng-data"; do
        if [ -d "$d" ]; then mkdir -p "$dir${d%/*}"; cp -RL "$d" "$dir$d"; fi
    done
    if [ -n "$TUTTI_ORT" ]; then cp -L "$TUTTI_ORT" "$dir/usr/bin/"; fi # found beside the program
fi
du -sk "$dir" | awk '{printf "%.1f MB", $1 / 1000}'
echo " in $dir"
