# tools/embed.awk FILE... - data/*.csv as one C file: struct catalog_data catalog_data[] (src/catalog/catalog_internal.h).
function finish() { if (name != "") print ";" }
BEGIN { print "/* made by tools/embed.awk from data/ */\n#include \"catalog/catalog_internal.h\"" }
FNR == 1 {
    finish()
    name = FILENAME; sub(/.*\//, "", name); sub(/\.csv$/, "", name)
    names[++n] = name
    print "static const char data_" name "[] ="
}
{ gsub(/\\/, "\\134"); gsub(/"/, "\\\""); gsub(/\?/, "\\?"); print "\"" $0 "\\n\"" }
END {
    finish()
    print "const struct catalog_data catalog_data[] = {"
    for (i = 1; i <= n; i++) print "    { \"" names[i] "\", data_" names[i] ", sizeof(data_" names[i] ") - 1 },"
    print "};\nconst int catalog_n_data = " n ";"
}
