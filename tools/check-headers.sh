#!/bin/sh
# tools/check-headers.sh CC FLAGS... - every header in src/ compiles alone, and twice.
# Headers of one instruction set (avx2_*.h, neon*.h, ...) need its flags: their .c files prove them.
bad=0
for h in $(find src -name '*.h' | LC_ALL=C sort); do
    case ${h##*/} in avx*|amx*|neon*|dotprod*|i8mm*) continue ;; esac
    printf '#include "%s"\n#include "%s"\nextern int unused;\n' "${h#src/}" "${h#src/}" |
        "$@" -Wno-missing-prototypes -x c -fsyntax-only - || { echo "$h does not stand alone"; bad=1; }
done
exit $bad
