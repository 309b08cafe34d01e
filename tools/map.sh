#!/bin/sh
# tools/map.sh - the index of all source files, from the first line of each head comment.
cd "$(dirname "$0")/.." || exit 1
for f in $(find src tools tests -name '*.c' -o -name '*.h' -o -name '*.def' -o -name '*.sh' | LC_ALL=C sort); do
    line=$(sed -n '/^\/\*\|^# /{s/^\/\* *//;s/^# *//;s/ *\*\/ *$//;p;q}' "$f")
    printf '%-36s %s\n' "$f" "${line#* - }"
done
