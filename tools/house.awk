# tools/house.awk - src/FLOORS as a picture: awk -f tools/house.awk src/FLOORS >docs/img/house.svg
function esc(s) { gsub(/&/, "\\&amp;", s); gsub(/</, "\\&lt;", s); return s }
function room(x, y, w, name, one) {
    printf "<rect x=\"%g\" y=\"%d\" width=\"%g\" height=\"44\" rx=\"6\" class=\"room\"/>\n", x, y, w
    if (one) printf "<text x=\"%g\" y=\"%d\" class=\"name\">%s/</text><text x=\"%g\" y=\"%d\" class=\"what\">%s</text>\n", x + 14, y + 28, name, x + 110, y + 28, esc(what[name])
    else printf "<text x=\"%g\" y=\"%d\" class=\"name\">%s/</text><text x=\"%g\" y=\"%d\" class=\"what\">%s</text>\n", x + 10, y + 19, name, x + 10, y + 36, esc(what[name])
}
/^#: / { name = $2; sub(/^#: [a-z]+ +/, ""); what[name] = $0; next }
{ sub(/#.*/, ""); if (NF && $1 != "gen") line[++n] = $0 }
END {
    h = 58 + 54 * n + 30
    printf "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 860 %d\" font-family=\"system-ui, sans-serif\">\n", h + 12
    print "<style>.bg{fill:#fff}.room{fill:#eef3f8;stroke:#5b7c99}.name{font-size:15px;font-weight:600;fill:#16324a}.what{font-size:12px;fill:#43596b}.way{stroke:#b4552d;stroke-width:2.5;fill:none}.t{font-size:13px;fill:#b4552d}.h{font-size:19px;font-weight:700;fill:#16324a}"
    print "@media (prefers-color-scheme:dark){.bg{fill:#10161c}.room{fill:#1b2732;stroke:#6f93b3}.name,.h{fill:#e6eef5}.what{fill:#a9bccb}}</style>"
    printf "<rect class=\"bg\" width=\"860\" height=\"%d\"/>\n<text x=\"40\" y=\"34\" class=\"h\">The house of tutti: a room includes only rooms below it</text>\n", h + 12
    for (i = n; i >= 1; i--) {
        k = split(line[i], r, " "); y = 58 + 54 * (n - i); w = (780 - 12 * (k - 1)) / k
        for (j = 1; j <= k; j++) room(40 + (j - 1) * (w + 12), y, w, r[j], k == 1)
    }
    printf "<path class=\"way\" d=\"M 18 68 V %d\" marker-end=\"url(#a)\"/><path class=\"way\" d=\"M 842 %d V 68\" marker-end=\"url(#a)\"/>\n", h - 50, h - 50
    print "<defs><marker id=\"a\" viewBox=\"0 0 10 10\" refX=\"8\" refY=\"5\" markerWidth=\"7\" markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0 L10 5 L0 10 z\" fill=\"#b4552d\"/></marker></defs>"
    printf "<text x=\"40\" y=\"%d\" class=\"t\">left: a request goes down once, as a job</text><text x=\"820\" y=\"%d\" text-anchor=\"end\" class=\"t\">right: it comes up once, as events</text>\n</svg>\n", h, h
}
