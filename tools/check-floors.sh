#!/bin/sh
# tools/check-floors.sh - quoted includes point down; src/FLOORS says which room lies below which.
cd "$(dirname "$0")/../src" || exit 2
find . -type f \( -name '*.[ch]' -o -name '*.def' \) | sort | xargs awk '
function room(path,  slash) { slash = index(path, "/"); return slash ? substr(path, 1, slash - 1) : "" }
function complain(text) { printf "src/%s:%d: %s\n", file, FNR, text; bad = 1 }
BEGIN {
    while ((getline line < "FLOORS") > 0) {
        sub(/#.*/, "", line); n = split(line, word, " ")
        if (word[1] == "allow") { door[word[2], word[4]] = 1; continue }
        if (n > 0) height++
        for (i = 1; i <= n; i++) floor[word[i]] = height
    }
    if (height == 0) { print "src/FLOORS: missing or empty"; bad = 1; exit }
    floor[""] = height + 1 # src/main.c stands above every room
}
FNR == 1 { file = substr(FILENAME, 3); here = room(file)
           if (!(here in floor)) complain("room " here " has no floor yet: add it to src/FLOORS") }
/^[ \t]*#[ \t]*include[ \t]*"/ {
    split($0, part, "\""); there = room(part[2])
    if (there == "" || !(there in floor)) complain("write \"" part[2] "\" as room/file.h, its room listed in src/FLOORS")
    else if (there == here) next
    else if (part[2] ~ /_internal\.h$/) complain(part[2] " belongs to " there " alone")
    else if ((here, there) in door) next
    else if (floor[there] == floor[here]) complain(here " and " there " are neighbours: move what they share down")
    else if (floor[there] > floor[here]) complain(here " looks up into " there)
}
/^extern / && file ~ /\.c$/ { complain("an extern in a .c walks around the floors: include the header of its owner") }
END { exit bad }'
