#!/usr/bin/python3
"""tests/template/jinja2_cases.py [--write] FILE... - what python3-jinja2 makes of tests/cases/template/*.txt.

Without --write it compares and complains; with --write it fills in the results (a new case has the line `#?` where
its result belongs).  jinja2 runs as transformers sets it up.  Exit status 77: no python3-jinja2 here.
"""
import datetime
import json
import sys

try:
    import jinja2
    import jinja2.ext
    from jinja2.sandbox import ImmutableSandboxedEnvironment
except ImportError:
    sys.exit(77)

NOW = datetime.datetime(2026, 7, 4, 15, 30, 9)


class Generation(jinja2.ext.Extension):
    """The tag with which transformers marks what the model said: its text is its content."""

    tags = {"generation"}

    def parse(self, parser):
        lineno = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        return jinja2.nodes.CallBlock(self.call_method("content"), [], [], body).set_lineno(lineno)

    def content(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)


def render(text, variables):
    env = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols]
    )
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: NOW.strftime(form)
    try:
        return env.from_string(text).render(**variables), None
    except Exception as e:
        return None, " ".join(f"{type(e).__name__}: {e}".split())[:160]


def result_lines(text, error):
    return [f"#! {error}"] if error else [f"#> {line}" if line else "#>" for line in text.split("\n")]


def walk(path, write):
    """Yields complaints; the format is described at the head of each file."""
    out, template, variables, have = [], [], {}, []
    lines = open(path, encoding="utf-8", newline="\n").read().split("\n")
    for number, line in enumerate(lines + ["## end"], 1):
        is_result = line[:2] in ("#>", "#!", "#?")
        if have and not is_result:
            text, error = render("\n".join(template), json.loads(json.dumps(variables)))
            want = result_lines(text, error)
            if not write and (want[0][:2] != have[0][:2] or (error is None and want != have)):
                yield f"{path}:{number - len(have)}: jinja2 says {want}"
            out += want
            template, have = [], []
        if is_result:
            have.append(line)
            continue
        if number <= len(lines):
            out.append(line)
        if line.startswith("#= "):
            variables = json.loads(line[3:])
        elif line[:2] == "##" or (not line and not template):
            continue
        else:
            template.append(line)
    if write:
        open(path, "w", encoding="utf-8", newline="\n").write("\n".join(out))


def main(args):
    write = "--write" in args
    bad = [text for path in args if path != "--write" for text in walk(path, write)]
    print("\n".join(bad), end="\n" if bad else "")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
