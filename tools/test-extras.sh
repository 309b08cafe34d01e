# tools/test-extras.sh - sourced by check-all.sh: what some tests want and nothing needs: ONNX Runtime, clients from npm.
# What cannot be had is said; its tests are skipped then.
if [ -z "$TUTTI_ORT" ]; then
    tools/get-onnxruntime.sh "$PWD/build/extras" && TUTTI_ORT=$PWD/build/extras/libonnxruntime.so.1 && export TUTTI_ORT
fi
get_client() { # FOLDER of tests/serve: its locked packages in build/extras/FOLDER
    cmp -s "tests/serve/$1/package-lock.json" "build/extras/$1/package-lock.json" && [ -f "build/extras/$1/.complete" ] && return
    # the clients want node 20; Debian 12 has 18
    command -v npm >/dev/null && [ "$(node -p "process.versions.node.split('.')[0] >= 20" 2>/dev/null)" = true ] || return
    echo "tutti: fetching the packages of tests/serve/$1 from npm"
    rm -rf "build/extras/$1"
    mkdir -p "build/extras/$1" && cp tests/serve/"$1"/package*.json "build/extras/$1/" &&
        npm ci --silent --ignore-scripts --prefix "build/extras/$1" >/dev/null 2>&1 && : >"build/extras/$1/.complete" ||
        { echo "tutti: cannot fetch them (no network?)"; return 1; }
}
if [ -z "$TUTTI_CLIENT" ] && get_client client; then TUTTI_CLIENT=$PWD/build/extras/client && export TUTTI_CLIENT; fi
if [ -z "$TUTTI_GRPC_CLIENT" ] && get_client grpc; then TUTTI_GRPC_CLIENT=$PWD/build/extras/grpc && export TUTTI_GRPC_CLIENT; fi
