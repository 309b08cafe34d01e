#!/bin/sh
# tests/docs/test_seeds.sh BUILD - docs/seeds.md lists every entry of seed-errors.md, and the tests that it names exist.
# plain build only: documents.
cd "$(dirname "$0")/../.." || exit 2
bad=$(
    for range in 001:81 002:24 000:18 003:16; do
        i=1
        while [ $i -le "${range#*:}" ]; do
            id=$(printf '%s-%02d' "${range%:*}" $i)
            [ "$(grep -c "^| $id |" docs/seeds.md)" -eq 1 ] || echo "# $id is not listed once"
            i=$((i + 1))
        done
    done
    # `room/file.c: test` and `room/file.sh: check`
    grep -o '`[a-z]*/test_[a-z_0-9]*\.\(c\|sh\): [^`]*`' docs/seeds.md | tr -d '`' | sort -u | while IFS= read -r name; do
        file=tests/${name%%: *} test=${name#*: }
        case $file in
        *.c) grep -q "^TEST($test)" "$file" 2>/dev/null || echo "# no test '$test' in $file" ;;
        *) grep -qF "\"$test\"" "$file" 2>/dev/null || echo "# no check '$test' in $file" ;;
        esac
    done
)
if [ -z "$bad" ]; then echo "ok 1 - every entry is listed and every test exists"; else echo "$bad"; echo "not ok 1 - every entry is listed and every test exists"; fi
echo "1..1"
