#!/bin/sh
# tests/docs/test_house.sh - the picture of the house is the one that src/FLOORS makes; prints TAP.
# plain build only: documents.
tmp=$(mktemp) || exit 1
trap 'rm -f "$tmp"' EXIT
awk -f tools/house.awk src/FLOORS >"$tmp"
if cmp -s "$tmp" docs/img/house.svg; then echo "ok 1 - the picture shows the rooms of src/FLOORS"
else echo "# awk -f tools/house.awk src/FLOORS >docs/img/house.svg"; echo "not ok 1 - the picture shows the rooms of src/FLOORS"; fi
echo 1..1
