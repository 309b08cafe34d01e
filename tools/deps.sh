#!/bin/sh
# tools/deps.sh [--tests] - installs the Debian packages that are missing, saying so first.
# Without --tests only what building, running and the experts of examples/cards need; with it, what ./check needs as well.
core='gcc libc6-dev make pkg-config libuv1-dev libnghttp2-dev libssl-dev protobuf-c-compiler libprotobuf-c-dev libjansson-dev libfyaml-dev libutf8proc-dev libsqlite3-dev curl perl'
# loaded at run time, by the experts that want them
experts='libturbojpeg0 libspng0 libwebp7 libsndfile1 libsoxr0 libtesseract5 tesseract-ocr-eng libpocketsphinx3 pocketsphinx-en-us espeak-ng libflite1'
tests='libpcre2-dev libhttp-parser-dev clang-19 libclang-rt-19-dev lld-19 gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user python3 python3-jinja2 dpkg-dev nghttp2-client openssl tesseract-ocr pocketsphinx flite ffmpeg strace prometheus prometheus-node-exporter'
want="$core $experts"
[ "$1" = --tests ] && want="$core $experts $tests"
[ "$1" = --tests ] && ! command -v kubectl >/dev/null && want="$want kubernetes-client" # Kubernetes' own package has it, too, and they exclude each other
missing=
for p in $want; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null)" = installed ] || missing="$missing $p"
done
[ -z "$missing" ] && exit 0
command -v apt-get >/dev/null || { echo "tutti: missing packages:$missing; this is no Debian, install their like by hand" >&2; exit 1; }
sudo=
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null || { echo "tutti: missing packages:$missing; run as root: apt-get install$missing" >&2; exit 1; }
    sudo=sudo
fi
echo "tutti: installing missing Debian packages:$missing"
if ! { $sudo apt-get update -qq && DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -qq --no-install-recommends $missing; } >/tmp/tutti-deps.$$ 2>&1; then
    tail -n 5 /tmp/tutti-deps.$$ >&2; rm -f /tmp/tutti-deps.$$
    echo "tutti: cannot install:$missing (no network or no rights?); run as root: apt-get install$missing" >&2
    exit 1
fi
rm -f /tmp/tutti-deps.$$
