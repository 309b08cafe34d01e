#!/bin/sh
# tests/template/test_jinja2.sh - python3-jinja2 agrees with the results in tests/cases/template/*.txt (test_cases.c
# compares our own with them).
# plain build only: only Python's Jinja2 runs.
out=$(/usr/bin/python3 tests/template/jinja2_cases.py tests/cases/template/*.txt 2>&1)
rc=$?
if [ $rc -eq 77 ] || [ ! -x /usr/bin/python3 ]; then
    echo "# skipped: no python3-jinja2"
    echo "ok 1 - jinja2_agrees_with_the_written_results # SKIP"
elif [ $rc -eq 0 ]; then
    echo "ok 1 - jinja2_agrees_with_the_written_results"
else
    echo "$out" | head -n 20 | sed 's/^/# /'
    echo "not ok 1 - jinja2_agrees_with_the_written_results"
fi
echo "1..1"
