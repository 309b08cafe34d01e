#!/bin/sh
# tools/get-onnxruntime.sh [DIR] - fetches ONNX Runtime 1.27.0 (MIT) for this machine from npm's registry, without npm: one
# library, checked against its known hash, into DIR (default ~/.local/share/tutti/node_modules/..., where tutti looks).
# Newer versions phone home and fail under emulators: see docs/decisions/.
version=1.27.0
sha512=QEzGwrvNBgv4uPVdnbHsOGG4G6T96mdlcFI8aAKPjMU8wOPpVocPXb6k3QGkaZagVTv2G9Bnnbo6Z3JdXr1fQw==
case $(uname -m) in
x86_64) arch=x64 ;;
aarch64) arch=arm64 ;;
*) echo "tutti: no ONNX Runtime for $(uname -m) in npm's package" >&2; exit 1 ;;
esac
inside=package/bin/napi-v6/linux/$arch/libonnxruntime.so.1
to=${1:-${XDG_DATA_HOME:-$HOME/.local/share}/tutti/node_modules/onnxruntime-node/bin/napi-v6/linux/$arch}
[ -s "$to/libonnxruntime.so.1" ] && exit 0
for t in curl openssl tar; do command -v $t >/dev/null || { echo "tutti: get-onnxruntime needs $t: apt-get install $t" >&2; exit 1; }; done
mkdir -p "$to" && tmp=$(mktemp -d "$to/.get.XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' HUP INT TERM
echo "tutti: fetching ONNX Runtime $version (101 MB, of which one library is kept)"
curl -fsSL --retry 2 --max-time 600 -o "$tmp/ort.tgz" "https://registry.npmjs.org/onnxruntime-node/-/onnxruntime-node-$version.tgz" ||
    { echo "tutti: cannot fetch ONNX Runtime (no network?)" >&2; exit 1; }
[ "$(openssl dgst -sha512 -binary "$tmp/ort.tgz" | openssl base64 -A)" = "$sha512" ] ||
    { echo "tutti: what the registry sent is not ONNX Runtime $version: its hash differs" >&2; exit 1; }
tar -xzf "$tmp/ort.tgz" -C "$tmp" "$inside" && mv "$tmp/$inside" "$to/libonnxruntime.so.1"
