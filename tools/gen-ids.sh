#!/bin/sh
# tools/gen-ids.sh CSV - data/ids.csv as rows of a C table for src/hw/ids.c; ends with status 1 at the first row that is
# malformed, out of order or there twice.
LC_ALL=C awk '
function fail(why) { printf "%s:%d: %s\n", FILENAME, FNR, why >"/dev/stderr"; bad = 1; exit 1 }
function cells(line,   n, c, i, quoted, cell) { # RFC 4180, one line
    n = 0; cell = ""; quoted = 0
    for (i = 1; i <= length(line); i++) {
        c = substr(line, i, 1)
        if (c == "\"") { if (quoted && substr(line, i + 1, 1) == "\"") { cell = cell c; i++ } else quoted = !quoted }
        else if (c == "," && !quoted) { field[++n] = cell; cell = "" }
        else cell = cell c
    }
    field[++n] = cell
    return n
}
function c_text(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
/^#/ || /^$/ { next }
!head { if ($0 != "name,bus,vendor,device,kind,product,note,source,date") fail("columns: " $0); head = 1; next }
{
    if (cells($0) != 9) fail("9 cells wanted")
    if (field[2] != "pci" && field[2] != "usb") fail("bus is pci or usb")
    if (field[3] !~ /^[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/ || field[4] !~ /^[0-9a-f][0-9a-f][0-9a-f][0-9a-f]$/) fail("ids are 4 hex digits")
    if (field[1] != field[2] " " field[3] ":" field[4]) fail("name is \"bus vendor:device\"")
    if (field[5] == "" || field[6] == "" || field[8] == "") fail("kind, product and source must be there")
    if (field[9] !~ /^20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]$/) fail("date is YYYY-MM-DD")
    key = field[2] field[3] field[4]
    if (key <= last) fail("rows are sorted by bus, vendor, device, each there once")
    last = key
    printf "{ HW_BUS_%s, 0x%s, 0x%s, %s, %s, %s },\n", toupper(field[2]), field[3], field[4], c_text(field[5]), c_text(field[6]), c_text(field[7])
}
END { if (!bad && !head) { print FILENAME ": empty" >"/dev/stderr"; exit 1 } }' "$1"
