#!/bin/sh
# tests/cmd/test_help.sh BUILD - every --help fits 80 columns; prints TAP.
tutti=$1/tutti
. tests/tap.sh
"$tutti" --help >"$tmp/out" 2>"$tmp/err"; rc=$?
check "the list of commands fits 80 columns" 0 '[ -s out ]' '! grep -qE "^.{81}" out'
wide=
sed -n 's/^extern const struct cmd cmd_\([a-z_]*\);.*/\1/p' src/cmd/commands.h | tr _ ' ' >"$tmp/commands"
: >"$tmp/out"
while read -r c; do
    # shellcheck disable=SC2086 # one or two words; or one with a hyphen: device-plugin
    "$tutti" $c --help >"$tmp/one" 2>"$tmp/err" || "$tutti" "$(echo "$c" | tr ' ' -)" --help >"$tmp/one" 2>"$tmp/err" || { wide="$wide $c"; continue; }
    grep -E '^.{81}' "$tmp/one" >>"$tmp/out" && wide="$wide $c"
done <"$tmp/commands"
if [ -z "$wide" ]; then ok "every command's help fits 80 columns"; else echo "# too wide:$wide"; not_ok "every command's help fits 80 columns"; fi
echo "1..$n"
