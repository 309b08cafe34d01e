#!/usr/bin/env python3
"""make_alerts.py RULES OUT - the cases of the alerts as a file for `promtool test rules`.

A case: alert, series that must fire it (with its labels), the same nearly, which must not.  Every minute is a sample; it is looked
after 80 minutes.  `promtool` gets each case as two tests; the answer names every alert that fires, so that none fires beside."""
import re
import sys

T = '{instance="10.0.0.3:8080",job="tutti",node="pi5"'
UP = 'up' + T + '}'


def s(name, labels=""):
    return name + T + ("," + labels if labels else "") + "}"


def both(name, labels, fires, quiet):
    return {s(name, labels): fires}, {s(name, labels): quiet}


def bucket(fast, slow):
    return {s("tutti_time_to_first_token_seconds_bucket", 'le="%s",model_name="chat"' % le): "0+%dx100" % n
            for le, n in (("1", fast), ("5", fast), ("10", fast + slow), ("+Inf", fast + slow))}


M = 'model_name="chat"'
# alert, labels of the result besides node, series that fire it, series that do not
CASES = [
    ("TuttiNodeGone", "", {UP: "1x20 0x100"}, {UP: "1x120"}),
    ("TuttiNotReady", "", *both("tutti_ready", "", "1x50 0x70", "1x120")),
    ("TuttiRestarts", "", *both("process_start_time_seconds", "", "1x55 2x4 3x4 4x4 5x100", "1x55 2x100")),
    ("TuttiNodeExporterGone", "", {'up{instance="10.0.0.3:9100",job="node",node="pi5"}': "0x120"}, {'up{instance="10.0.0.3:9100",job="node",node="pi5"}': "1x120"}),
    ("TuttiCertificateExpiring", "", *both("tutti_certificate_expiry_timestamp_seconds", "", "500000x120", "900000x120")),
    ("TuttiHot", "", {s("tutti_temperature_celsius"): "77x120", s("tutti_temperature_limit_celsius"): "80x120"}, {s("tutti_temperature_celsius"): "70x120", s("tutti_temperature_limit_celsius"): "80x120"}),
    ("TuttiThrottled", "", *both("tutti_throttled", 'reason="weak supply"', "1x120", "1x60 0x60")),
    ("TuttiOnBatteryLow", "", {s("tutti_on_battery"): "1x120", s("tutti_battery_ratio"): "0.15x120"}, {s("tutti_on_battery"): "0x120", s("tutti_battery_ratio"): "0.15x120"}),
    ("TuttiMemoryPressure", "", *both("tutti_memory_pressure_ratio", "", "0.4x120", "0.1x120")),
    ("TuttiMemoryLow", "", {s("tutti_memory_available_bytes"): "3e8x120", s("tutti_memory_bytes"): "8e9x120"}, {s("tutti_memory_available_bytes"): "3e9x120", s("tutti_memory_bytes"): "8e9x120"}),
    ("TuttiModelsDiskFull", "", {s("tutti_models_disk_available_bytes"): "5e9x120", s("tutti_models_disk_bytes"): "1e11x120"},
     {s("tutti_models_disk_available_bytes"): "5e10x120", s("tutti_models_disk_bytes"): "1e11x120"}),
    ("TuttiAcceleratorVanished", "", *both("tutti_accelerator_up", 'accelerator="usb-1-1",resource="google.com/coral"', "1x20 0x100", "0x20 1x100")),
    ("TuttiAcceleratorHot", "", *both("tutti_accelerator_temperature_celsius", 'accelerator="nvidia0"', "95x120", "80x120")),
    ("TuttiOffline", "", *both("tutti_offline", "", "1x120", "0x120")),
    ("TuttiExpertDown", "", *both("tutti_model_state", M + ',state="down"', "1x120", "0x120")),
    ("TuttiExpertDies", "", *both("tutti_worker_deaths_total", M, "0x60 0+1x60", "2x120")),
    ("TuttiExpertSlow", "", *both("tutti_expert_degraded", M, "1x120", "1x60 0x60")),
    ("TuttiQueueLong", "", *both("tutti_num_requests_waiting", M, "20x120", "2x120")),
    ("TuttiErrors", "", {s("tutti_request_success_total", M + ',finished_reason="error"'): "0+10x120", s("tutti_request_success_total", M + ',finished_reason="stop"'): "0+50x120"},
     {s("tutti_request_success_total", M + ',finished_reason="error"'): "0+1x120", s("tutti_request_success_total", M + ',finished_reason="stop"'): "0+50x120"}),
    ("TuttiServerErrors", "", {s("tutti_http_responses_total", 'code="5xx"'): "0+10x120", s("tutti_http_responses_total", 'code="2xx"'): "0+50x120"},
     {s("tutti_http_responses_total", 'code="5xx"'): "0x120", s("tutti_http_responses_total", 'code="2xx"'): "0+50x120"}),
    ("TuttiFirstWordLate", "", bucket(10, 5), bucket(100, 1)),
    ("TuttiLadderDown", "", *both("tutti_governor_step", 'class="llm"', "2x120", "2x50 0x70")),
    ("TuttiRouterRefuses", "", *both("tutti_route_refused_total", "", "0+3x120", "7x120")),
    ("TuttiExpertsHang", "", *both("tutti_route_hangs_total", "", "0x60 0+1x60", "9x120")),
    ("TuttiMemberSilent", "", {s("tutti_member_age_seconds", 'member="pi4"'): "0+60x120", UP.replace("pi5", "pi4").replace("10.0.0.3", "10.0.0.4"): "1x120"}, {s("tutti_member_age_seconds", 'member="pi4"'): "0+60x120", UP.replace("pi5", "pi4").replace("10.0.0.3", "10.0.0.4"): "0x120"}),
    ("TuttiMemberLosesJobs", "", *both("tutti_member_jobs_lost_total", 'member="pi4"', "0x60 0+1x60", "9x120")),
    ("TuttiJournalDrops", "", *both("tutti_route_journal_dropped_total", "", "0x70 5x50", "5x120")),
    ("TuttiNodeMissing", "", {"other": "1x120"}, {UP: "1x120"}),
]


def test(out, alert, labels, series, fires):
    out.append("  - interval: 1m\n    input_series:")
    for name, values in series.items():
        out.append("      - {series: '%s', values: '%s'}" % (name, values))
    # nodes that are not in the case are missing, of course
    out.append("    promql_expr_test:\n      - expr: count by (alertname, node) (ALERTS{alertstate=\"firing\",node=\"pi5\",alertname!=\"%s\"})\n        eval_time: 80m\n        exp_samples:%s"
               % ("" if alert == "TuttiNodeMissing" else "TuttiNodeMissing", "" if fires else " []"))
    if fires:
        out.append("          - {labels: '{alertname=\"%s\",node=\"pi5\"%s}', value: 1}" % (alert, labels))


def main():
    rules, to = open(sys.argv[1]).read(), sys.argv[2]
    known, tested = set(re.findall(r"^ *- alert: (\w+)", rules, re.M)), {c[0] for c in CASES}
    for name in sorted(known ^ tested - {"TuttiNodesMissing"}):
        print("%s: %s" % (name, "has no case in make_alerts.py" if name in known else "is no alert"))
    out = ["rule_files: [rules.yaml]", "evaluation_interval: 1m", "tests:"]
    for alert, labels, fires, quiet in CASES:
        test(out, alert, labels, fires, True)
        test(out, alert, labels, quiet, False)
    # what a person reads, and that a laptop may leave
    out.append("""  - interval: 1m
    input_series:
      - {series: 'up{instance="10.0.0.9:8080",job="tutti",node="laptop"}', values: '0x120'}
      - {series: 'tutti_memory_pressure_ratio%s}', values: '0.43x120'}
    alert_rule_test:
      - {alertname: TuttiNodeGone, eval_time: 80m, exp_alerts: []}
      - alertname: TuttiMemoryPressure
        eval_time: 80m
        exp_alerts:
          - exp_labels: {severity: warning, instance: '10.0.0.3:8080', job: tutti, node: pi5}
            exp_annotations: {summary: 'programs on pi5 wait for memory 43%% of the time', description: 'Fewer or smaller experts there: `tutti cluster plan`.'}""" % T)
    open(to, "w").write("\n".join(out) + "\n")
    return 1 if known != tested else 0


sys.exit(main())
