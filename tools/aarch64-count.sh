#!/bin/sh
# tools/aarch64-count.sh - the instructions of the aarch64 kernels, counted in an emulator, beside what the ports of a core allow.
#
# qemu writes down every instruction that one call of a kernel executes (64 rows x 2048 columns); a listing says what each is; of the
# trace itself llvm-mca says how long a core would take: neoverse-n1, of which Cortex-A76 is the twin (for i8mm neoverse-n2).
# COUNT_TYPES, COUNT_CASES narrow it down.  Needs qemu-user, gcc-aarch64-linux-gnu and (for the cycles) llvm-mca-16 or newer.
# Prints Markdown; docs/SPEED.md has it.
cd "$(dirname "$0")/.." || exit 1
types=${COUNT_TYPES:-q8_0 q4_0 q4_k q6_k}
cases=${COUNT_CASES:-neon:1 dotprod:1 i8mm:1 neon:64 dotprod:64 i8mm:64}
for t in aarch64-linux-gnu-gcc aarch64-linux-gnu-objdump qemu-aarch64; do
    command -v $t >/dev/null || { echo "tools/aarch64-count.sh: $t is missing: apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user" >&2; exit 1; }
done
mca=
for v in 21 20 19 18 17 16; do
    [ -n "$mca" ] || mca=$(command -v llvm-mca-$v)
done
[ -n "$mca" ] || echo "tools/aarch64-count.sh: no llvm-mca-16 or newer (apt-get install llvm-19): no cycles" >&2

# The kernels with the flags that the Makefile gives them.
out=build/aarch64-count
mkdir -p $out
make -s BUILD=$out CROSS=aarch64-linux-gnu CC=aarch64-linux-gnu-gcc SYSROOT=none \
    $out/src/kernels/matmul/neon.o $out/src/kernels/matmul/dotprod.o $out/src/kernels/matmul/i8mm.o >/dev/null || exit 1
aarch64-linux-gnu-gcc -std=c11 -O1 -fno-strict-aliasing -Isrc -static -no-pie -ffunction-sections -Wl,--gc-sections -o $out/driver \
    tools/aarch64-count/driver.c src/kernels/matmul/pack.c src/kernels/matmul/pick.c src/kernels/matmul/ref.c $out/src/kernels/matmul/*.o src/dtype/*.c -lm || exit 1
aarch64-linux-gnu-objdump -d --no-show-raw-insn $out/driver >$out/listing

echo "| level | type | tokens | instructions: dot | other SIMD | loads, stores | rest | all | for each | cycles for 512 | at 2.4 GHz, one core |"
echo "|--|--|--|--|--|--|--|--|--|--|--|"
for c in $cases; do
    level=${c%:*} tok=${c#*:}
    core=neoverse-n1
    [ $level != i8mm ] || core=neoverse-n2
    for type in $types; do
        # all of the level's code: from its first to its last function
        range=$(awk -v l="<${level}_" '/^[0-9a-f]+ </ { inside = index($2, l) == 1 } inside && $1 ~ /:$/ { sub(":", "", $1); if (!a) a = $1; b = $1 } END { print "0x" a "..0x" b }' $out/listing)
        sum=$(qemu-aarch64 -cpu max -singlestep -d exec,nochain -dfilter "$range" -D $out/trace $out/driver $level $type "$tok") || { echo "tools/aarch64-count.sh: $level $type fails" >&2; exit 1; }
        # the trace, as text of instructions; counted by class
        awk -v sum="$sum" -v asm=$out/part.s '
            FNR == NR { if ($1 ~ /^[0-9a-f]+:$/) { pc = $1; sub(":", "", pc); sub("^[^:]*:[ \t]*", ""); sub("[ \t]*//.*", ""); text[pc] = $0 } next }
            match($0, /\/[0-9a-f]+\//) {
                pc = substr($0, RSTART + 1, RLENGTH - 2); sub("^0+", "", pc)
                t = text[pc]; op = t; sub("[ \t].*", "", op); all++
                if (op ~ /^([su]dot|[su]?mmla|smmla|usdot|smull2?|smlal2?|bfmmla)$/ && t ~ / v/ || op ~ /^s(mull|mlal)2?$/ && t ~ /\.8h/) dot++
                else if (op ~ /^(ld|st|prfm)/) mem++
                else if (t ~ /[ \t,{][vqds][0-9]+/) simd++
                else rest++
                if (op !~ /^(b|b\..*|bl|br|ret|cbn?z|tbn?z|adrp)$/ && t !~ /</) line[n_line++] = t
            }
            END {
                split(sum, s, " ")
                for (i = int(n_line / 2); i < n_line && i < int(n_line / 2) + 6000; i++) print line[i] >asm
                close(asm)
                n = s[1] == s[2] ? s[2] : s[1]
                printf "%.3f %.3f %.3f %.3f %.3f %d %d %s\n", dot / n, simd / n, mem / n, rest / n, all / n, all, n, s[3] / s[2]
            }' $out/listing $out/trace >$out/counts
        read -r dot simd mem rest all n_all n bytes <$out/counts
        cycles=- speed=-
        if [ -n "$mca" ]; then
            $mca -mtriple=aarch64 -mcpu=$core -iterations=1 $out/part.s >$out/mca 2>$out/mca.err || head -3 $out/mca.err >&2
            cycles=$(awk -v n_all="$n_all" -v n="$n" '/^Instructions:/ { i = $2 } /^Total Cycles:/ { c = $3 } END { if (i) printf "%.1f", c / i * n_all / n * 512 }' $out/mca)
            speed=$(awk -v c="$cycles" -v tok="$tok" -v b="$bytes" 'BEGIN { if (c > 0) { if (tok == 1) printf "%.1f GB/s", 2.4 * 512 / c * b; else printf "%.0f G/s", 2.4 * 512 / c } }')
        fi
        each=weight
        [ "$tok" = 1 ] || each=multiply-add
        echo "| $level | $type | $tok | $dot | $simd | $mem | $rest | $all | $each | $cycles | $speed |"
    done
done
rm -f $out/trace
