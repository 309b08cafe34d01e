# tools/test-extras.sh - sourced by check-all.sh: what some tests want and nothing needs: ONNX Runtime, clients from npm.
# What cannot be had is said; its tests are skipped then.
if [ -z "$TUTTI_ORT" ]; then
    tools/get-onnxruntime.sh "$PWD/build/extras" && TUTTI_ORT=$PWD/build/extras/libonnxruntime.so.1 && export TUTTI_ORT
fi
# the clients want node 20; Debian 12 has 18
if [ -z "$TUTTI_CLIENT" ] && command -v npm >/dev/null && [ "$(node -p "process.versions.node.split('.')[0] >= 20" 2>/dev/null)" = true ]; then
    if ! cmp -s tests/serve/client/package-lock.json build/extras/client/package-lock.json || [ ! -f build/extras/client/.complete ]; then
        echo "tutti: fetching the clients of tests/serve/client from npm"
        rm -rf build/extras/client
        mkdir -p build/extras/client && cp tests/serve/client/package*.json build/extras/client/ &&
            npm ci --silent --ignore-scripts --prefix build/extras/client >/dev/null 2>&1 && : >build/extras/client/.complete ||
            echo "tutti: cannot fetch them (no network?)"
    fi
    [ -f build/extras/client/.complete ] && TUTTI_CLIENT=$PWD/build/extras/client && export TUTTI_CLIENT
fi
