"""Turns samples into figures: JSON lines for scripts, a table and the goals for people."""

import json
import statistics

OURS = "penstock"
PEERS = ("haproxy", "nginx", "nginx-unbuffered", "direct")

# (case, metric, how the figure is judged, limit): "ratio" is against HAProxy, "value" stands alone.
GOALS = [
    ("plain/c64", "cpu_per_request", "ratio<=", 1.25),
    ("stream-16/c64", "cpu_per_request", "ratio<=", 1.25),
    ("stream-32/c64", "cpu_per_request", "ratio<=", 1.25),
    ("stream-200/c64", "cpu_per_request", "ratio<=", 1.25),
    ("body-100k/c64", "cpu_per_request", "ratio<=", 1.25),
    ("plain/c64", "requests_per_s", "ratio>=", 0.8),
    ("stream-16/c64", "requests_per_s", "ratio>=", 0.8),
    ("stream-32/c64", "requests_per_s", "ratio>=", 0.8),
    ("stream-200/c64", "requests_per_s", "ratio>=", 0.8),
    ("body-100k/c64", "requests_per_s", "ratio>=", 0.8),
    ("plain/c1", "added_p50", "ratio<=", 1.3),
    ("plain/c1", "added_p99", "ratio<=", 2.0),
    ("slow-stream", "added_first_event_p50", "ratio<=", 1.2),
    ("idle", "rss", "value<=", 15.0),
    ("idle-conn", "bytes_each", "value<=", 1536.0),
    ("open-stream", "bytes_each", "value<=", 20480.0),
    ("ready", "ready", "value<=", 50.0),
    ("binary", "size", "value<=", 8.0),
    ("soak", "rss_drift", "size<=", 5.0),
    ("soak", "upstream_reuse", "value>=", 99.0),
]


def median(values):
    return statistics.median(values) if values else None


def ratio(ours, peer):
    if ours is None or peer is None or peer <= 0:
        return None
    return round(ours / peer, 3)


def rounded(value):
    return None if value is None else round(value, 3)


def figures(samples):
    """One dict a figure and peer, in the order the cases ran."""
    for (case, metric), by_server in samples.values.items():
        ours = median(by_server.get(OURS))
        for peer in PEERS:
            if peer in by_server:
                value = median(by_server[peer])
                yield {"bench": "gateway", "case": case, "metric": metric, "unit": samples.units[(case, metric)],
                       "ours": rounded(ours), "peer": rounded(value), "peer_name": peer, "ratio": ratio(ours, value)}


def print_json(samples, out):
    for figure in figures(samples):
        print(json.dumps(figure), file=out)


def shown(values):
    """The median, and half the distance from the lowest to the highest as a share of it."""
    if not values:
        return "-"
    mid = median(values)
    text = f"{mid:,.0f}" if abs(mid) >= 1000 else f"{mid:.4g}"
    if len(values) > 1 and mid:
        text += f" ±{abs((max(values) - min(values)) / 2 / mid) * 100:.0f}%"
    return text


def print_table(samples, out):
    head = ["case", "metric", "unit", OURS]
    for peer in PEERS:
        head += [peer, "ratio"]
    rows = [head]
    for (case, metric), by_server in samples.values.items():
        ours = by_server.get(OURS)
        row = [case, metric, samples.units[(case, metric)], shown(ours)]
        for peer in PEERS:
            against = ratio(median(ours), median(by_server.get(peer)))
            row += [shown(by_server.get(peer)), "" if against is None else f"{against:.2f}"]
        rows.append(row)
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    last = None
    for row in rows:
        if last not in (None, row[0]):
            print(file=out)
        last = row[0]
        cells = [cell.ljust(w) if i < 3 else cell.rjust(w) for i, (cell, w) in enumerate(zip(row, widths))]
        print("  ".join(cells).rstrip(), file=out)


def judge(samples, goal):
    """(what was measured, whether it meets the goal), or None when it wasn't measured."""
    case, metric, how, limit = goal
    by_server = samples.values.get((case, metric), {})
    ours = median(by_server.get(OURS))
    if ours is None:
        return None
    value = ours
    if how.startswith("ratio"):
        value = ratio(ours, median(by_server.get("haproxy")))
    elif how.startswith("size"):
        value = abs(ours)
    if value is None:
        return None
    return value, value <= limit if how.endswith("<=") else value >= limit


def print_goals(samples, out):
    lines = []
    for goal in GOALS:
        judged = judge(samples, goal)
        if judged is not None:
            case, metric, how, limit = goal
            kind = " x HAProxy" if how.startswith("ratio") else ""
            lines.append(f"  {'met   ' if judged[1] else 'MISSED'}  {case} {metric}: {judged[0]:.4g}{kind} "
                         f"(goal {how[-2:]} {limit:g})")
    if lines:
        print("\nGoals\n" + "\n".join(lines), file=out)
