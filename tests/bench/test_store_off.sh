#!/bin/sh
# tests/bench/test_store_off.sh BUILD - `make STORE=0` compiles the store without SQLite.
unset MAKEFLAGS MAKELEVEL MFLAGS MAKEOVERRIDES
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
if make -s --no-print-directory STORE=0 BUILD="$1/nostore" "$1/nostore/src/bench/store.o" >"$out" 2>&1 &&
    ! nm "$1/nostore/src/bench/store.o" | grep -q sqlite3_ && ! make -s --no-print-directory STORE=0 print-libs | grep -q sqlite; then
    echo "ok 1 - a build without the store needs no SQLite"
else
    sed 's/^/# /' "$out" | head -20
    echo "not ok 1 - a build without the store needs no SQLite"
fi
echo "1..1"
