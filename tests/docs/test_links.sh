#!/bin/sh
# tests/docs/test_links.sh - every file that a document links to exists; prints TAP.
# plain build only: documents.
bad=
for f in $(git ls-files '*.md' 2>/dev/null || find . -name '*.md' -not -path '*/node_modules/*'); do
    for l in $(grep -oE '\]\([^) #]+' "$f" | sed 's/^](//'); do
        case $l in
        http:* | https:* | mailto:*) ;;
        *) [ -e "$(dirname "$f")/$l" ] || bad="$bad $f:$l" ;;
        esac
    done
done
if [ -z "$bad" ]; then echo "ok 1 - links in documents lead somewhere"; else echo "# missing:$bad"; echo "not ok 1 - links in documents lead somewhere"; fi
echo 1..1
