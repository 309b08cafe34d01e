#!/bin/sh
# tools/train/plot-loss.sh OUT/log.tsv PICTURE.svg - the loss curve of a training (needs gnuplot).
[ $# -eq 2 ] || { echo "usage: $0 LOG.tsv PICTURE.svg" >&2; exit 2; }
per_step=$(awk -F'\t' '$1 == "step" { print $3 / $2; exit }' "$1")
gnuplot <<PLOT
set terminal svg size 860,480 dynamic background 'white' font 'sans-serif,14'
set output '$2'
set datafile separator '\t'
set xlabel 'tokens seen (millions)'
set ylabel 'loss (nats per token)'
set grid lc rgb '#dddddd'
set key top right
set yrange [*:5.5]
held(name) = sprintf("< awk -F'\\t' '\$1 == \"held\" && \$3 == \"%s\" && !seen[\$2]++ { print \$2 \"\\t\" \$4 }' '$1'", name)
steps = "< awk -F'\\t' '\$1 == \"step\" { s += \$6; n++; if (n == 5) { print \$3 \"\\t\" s / n; s = n = 0 } }' '$1'"
x(step) = step * $per_step / 1e6
plot steps using (\$1 / 1e6):2 with lines lc rgb '#bbbbbb' title 'training rows (the mix changes on the way)', \
     held('family series') using (x(\$1)):2 with linespoints lc rgb '#8c510a' pt 7 ps 0.4 title 'held out: family series', \
     held('primers') using (x(\$1)):2 with linespoints lc rgb '#d95f02' pt 7 ps 0.4 title 'held out: primers', \
     held('short stories') using (x(\$1)):2 with linespoints lc rgb '#1b6ca8' pt 7 ps 0.4 title 'held out: short stories', \
     held('simple chat') using (x(\$1)):2 with linespoints lc rgb '#1b9e77' pt 7 ps 0.4 title 'held out: simple chat'
PLOT
