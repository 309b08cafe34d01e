#!/bin/sh
# bench/peers/run.sh - tutti beside llama.cpp (npm's node-llama-cpp, pinned) and native peers on this machine; see README.md, --help.
here=$(cd "$(dirname "$0")" && pwd) || exit 2
root=$(cd "$here/../.." && pwd)
command -v node >/dev/null || { echo "run.sh: needs node 20 or later" >&2; exit 1; }
case " $* " in *" --help "* | *" --report "*) ;; *) make -s -C "$root" all tools || exit 1 ;; esac
if [ "$1" = --servers ]; then
    shift
    exec node "$here/servers.mjs" "$@"
fi
case " $* " in
*" --no-npm "* | *" --report "* | *" --help "*) ;;
*)
    command -v npm >/dev/null || { echo "run.sh: needs npm, or --no-npm" >&2; exit 1; }
    if [ ! -d "$here/node_modules/node-llama-cpp" ]; then
        # only the CPU build: the optional packages are half a gigabyte of CUDA.  Not `npm ci`: npm 11 leaves other systems'
        # optional packages out of a lock file and then refuses it; what the file names is pinned with `install` too.
        other=
        [ "$(uname -m)" = x86_64 ] || other="--force @node-llama-cpp/linux-arm64@3.22.1"
        npm install --prefix "$here" --no-save --ignore-scripts --omit=optional --no-audit --no-fund $other || exit 1
    fi ;;
esac
exec node "$here/compare.mjs" "$@"
