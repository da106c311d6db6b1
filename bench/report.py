"""Results as a table in README.md and as plots: `python -m bench.report` writes them again from results/*.json."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES = {
    "direct": "no relay",
    "gateway": "`guestwire serve`",
    "websockets": "`websockets` relay",
    "ws": "Node `ws` relay",
    "nginx": "nginx proxy",
}
COLOURS = {"gateway": "#0b5fff", "ws": "#2e7d32", "websockets": "#b26a00", "nginx": "#7b1fa2", "direct": "#607080"}
BEGIN, END = "<!-- figures: written by bench/report.py -->", "<!-- end of figures -->"

KEEPS_UP_MS = 1000.0

Figures = Mapping[str, Any]


def write(out: Path) -> None:
    """Write the table into `out`/README.md, between the two marks, and the plots into `out`/plots."""
    parts = {path.stem: json.loads(path.read_text()) for path in sorted((out / "results").glob("*.json"))}
    drawn = _plots(parts)
    pictures = "\n".join(f"![{_title(plot)}](plots/{name}.svg)" for name, plot in drawn.items())
    page = out / "README.md"
    text = page.read_text() if page.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    page.write_text(f"{before}{BEGIN}\n\n{_tables(parts)}\n{pictures}\n\n{END}{after}")
    plots = out / "plots"
    plots.mkdir(exist_ok=True)
    for name, plot in drawn.items():
        (plots / f"{name}.svg").write_text(plot)


def _title(plot: str) -> str:
    return plot.partition('aria-label="')[2].partition('"')[0]


# --- tables -----------------------------------------------------------------------------------------------------------


def _tables(parts: Mapping[str, Any]) -> str:
    sections = [_run(parts), _targets(parts)]
    for name, section in (("relay", _relay), ("sessions", _sessions), ("growth", _growth), ("resume", _resume)):
        if name in parts:
            sections.append(section(parts[name]))
    if "log" in parts:
        sections.append(_log(parts["log"]))
    return "\n".join(sections)


def _run(parts: Mapping[str, Any]) -> str:
    any_part = next(iter(parts.values()))
    machine = any_part["machine"]
    loads = ", ".join(
        f"{name} {part['load_average'][0]:g} → {part['load_average'][1]:g}" for name, part in parts.items()
    )
    lines = [
        f"Measured on {machine['cores']} shared cores ({machine['system']}):",
        f"{machine['python']}, Node {machine['node'].removeprefix('v')}, nginx {machine['nginx'] or 'not installed'}.",
        f"Load average of the machine before and after each part, the load of the bench itself included: {loads}.",
    ]
    if any(part["load_average"][0] > machine["cores"] for part in parts.values()):
        lines.append(
            "**The machine was busy with other work**, which the gateway feels most, since it alone waits for the disk:"
            " of this run only the processor time, the memory and the growth tell much."
        )
    failures = [each for part in parts.values() for each in part.get("failures", ())]
    lines += [f"Failed: {each}." for each in failures]
    return "\n".join(lines) + "\n"


def _targets(parts: Mapping[str, Any]) -> str:
    """Compare with the targets; a target is a first step and a next one."""
    rows: list[tuple[str, float | None, float, float, str, bool]] = []

    def add(what: str, value: Callable[[], float], first: float, then: float, unit: str, *, more: bool) -> None:
        try:
            got: float | None = value()
        except (KeyError, StopIteration):
            got = None
        rows.append((what, got, first, then, unit, more))

    def figures(part: str) -> Figures:
        found: Figures = parts[part]["figures"]
        return found

    def relay(name: str, column: str) -> float:
        return float(figures("relay")[name][column])

    def added(name: str, column: str) -> float:
        return max(relay(name, f"{way}_{column}") - relay("direct", f"{way}_{column}") for way in ("up", "down"))

    chats = [str(each) for each in parts["relay"]["sizes"]["chats"]] if "relay" in parts else ["0"]
    few, many = f"both_per_s_{chats[0]}", f"both_per_s_{chats[-1]}"
    idle = f"kib_{parts['relay']['sizes']['idle_chats'][-1]}" if "relay" in parts else ""
    add(
        f"durable messages/s ÷ Node `ws`, {chats[0]} chats",
        lambda: relay("gateway", few) / relay("ws", few),
        0.5,
        1.0,
        "×",
        more=True,
    )
    add(
        f"durable messages/s ÷ Node `ws`, {chats[-1]} chats",
        lambda: relay("gateway", many) / relay("ws", many),
        0.5,
        1.3,
        "×",
        more=True,
    )
    add(
        f"durable messages/s ÷ nginx, {chats[0]} chats",
        lambda: relay("gateway", few) / relay("nginx", few),
        0.2,
        0.4,
        "×",
        more=True,
    )
    add("added latency, p50, slower direction", lambda: added("gateway", "p50_ms"), 1.0, 0.5, "ms", more=False)
    add("added latency, p99, slower direction", lambda: added("gateway", "p99_ms"), 8.0, 4.0, "ms", more=False)
    add("memory per idle chat", lambda: relay("gateway", idle), 80.0, 32.0, "KiB", more=False)
    add(
        "session creations/s, upstream call included ÷ Node proxy",
        lambda: figures("sessions")["direct mode"]["per_s"] / figures("sessions")["node http"]["per_s"],
        0.35, 0.6, "×", more=True,
    )  # fmt: skip
    add(
        "durable appends/s of the log alone, 512 in flight",
        lambda: figures("log")["appends/s, 512 in flight, without keys"],
        40_000, 80_000, "", more=True,
    )  # fmt: skip
    add("resume of 5,000 records", lambda: _resumed(figures("resume"), 5000, 0), 150.0, 50.0, "ms", more=False)
    add("processor time a message, most chats ÷ 100", lambda: _grown(parts["growth"]), 1.5, 1.2, "×", more=False)
    add("`import guestwire`", lambda: figures("start")["import guestwire"]["ms"], 60.0, 40.0, "ms", more=False)
    add(
        "`guestwire demo` to the first page",
        lambda: figures("start")["guestwire demo"]["ms"],
        2000.0,
        1000.0,
        "ms",
        more=False,
    )
    lines = ["| figure | target | then | measured | |", "| --- | --- | --- | --- | --- |"]
    for what, value, first, then, unit, more in rows:
        sign = "≥" if more else "≤"
        limits = f"{sign} {_number(first)} {unit} | {sign} {_number(then)} {unit}"
        if value is None:
            lines.append(f"| {what} | {limits} | – | not measured |")
            continue
        verdict = (
            "reached" if _is_met(value, first, more=more) else f"**missed**, {_times(value, first, more=more)} off"
        )
        if _is_met(value, then, more=more):
            verdict = "reached, the next step too"
        lines.append(f"| {what} | {limits} | {_number(value)} {unit} | {verdict} |")
    return "\n".join(re.sub(r" +\|", " |", line) for line in lines) + "\n"


def _is_met(value: float, limit: float, *, more: bool) -> bool:
    return value >= limit if more else value <= limit


def _times(value: float, limit: float, *, more: bool) -> str:
    factor = limit / value if more else value / limit
    return f"{factor:.1f} ×" if factor < 50 else "far"


def _resumed(figures: Figures, length: int, beside: int) -> float:
    return float(figures[f"{length} records, {beside} beside"]["resume_all_ms"])


def _grown(part: Mapping[str, Any]) -> float:
    costs = _by_number(part["figures"]["gateway"], "cpu_us")
    return costs[max(costs)] / costs[min(costs)]


def _by_number(row: Figures, prefix: str) -> dict[int, float]:
    found = {int(key.rpartition("_")[2]): value for key, value in row.items() if key.startswith(f"{prefix}_")}
    return dict(sorted(found.items()))


def _relay(part: Mapping[str, Any]) -> str:
    figures, sizes = part["figures"], part["sizes"]
    chats = sizes["chats"]
    columns = [(f"both_per_s_{each}", f"both ways, {each} chats") for each in chats]
    columns += [(f"up_per_s_{chats[0]}", "guest → agent"), (f"down_per_s_{chats[0]}", "agent → guest")]
    columns += [(f"both_cpu_us_{chats[0]}", "µs of processor")]
    columns += [(f"kib_{each}", f"KiB a chat, {each} idle") for each in sizes["idle_chats"]]
    base = figures["direct"]
    lines = [
        f"Messages/s, {sizes['in_flight']} in flight over {chats[0]} chats unless it says otherwise:",
        "",
        _head(["", *[title for _, title in columns]]),
        *[_row(NAMES[name], [_number(row.get(key) or None) for key, _ in columns]) for name, row in figures.items()],
        "",
        f"Latency in ms, p50 / p99, at {sizes['rate']:g} messages/s over {sizes['rate_chats']} chats:",
        "what is added to the direct connection, which is the first row.",
        "",
        _head(["", "guest → agent", "agent → guest", "round trip"]),
    ]
    for name, row in figures.items():
        less = {} if name == "direct" else base
        cells = [
            " / ".join(_difference(row, less, f"{way}_{p}_ms") for p in ("p50", "p99"))
            for way in ("up", "down", "both")
        ]
        lines.append(_row(NAMES[name], cells))
    return "\n".join(lines) + "\n"


def _difference(row: Figures, less: Figures, key: str) -> str:
    if key not in row:
        return "–"
    # So long that messages queue: the rate is above what it relays, and the figure grows with the time measured.
    return f"{row[key] - less.get(key, 0.0):.2f}" if row[key] < KEEPS_UP_MS else "does not keep up"


def _sessions(part: Mapping[str, Any]) -> str:
    names = {
        "node http": "Node `http` proxy: one upstream call each",
        "direct mode": "`guestwire serve --mode direct`: the same call, with checks and limits",
        "relay": "`guestwire serve`: kept in the log, no upstream call before the first message",
        "relay, whole start": "`guestwire serve --upstream-start open`: creation, browser's socket, hello, synced,"
        " upstream call, provider's socket",
    }
    rows = [_row(names[name], [_number(row["per_s"])]) for name, row in part["figures"].items()]
    return "\n".join([_head(["session creations", "a second"]), *rows]) + "\n"


def _growth(part: Mapping[str, Any]) -> str:
    figures = part["figures"]
    counts = list(_by_number(figures["gateway"], "per_s"))
    lines = [f"{part['sizes']['in_flight']} messages in flight, taking turns over all chats:", ""]
    lines.append(
        _head(["chats", *[f"{NAMES[name]}: {what}" for name in figures for what in ("messages/s", "µs of processor")]])
    )
    for count in counts:
        cells = [_number(figures[name].get(f"{key}_{count}")) for name in figures for key in ("per_s", "cpu_us")]
        lines.append(_row(f"{count:,}", cells))
    return "\n".join(lines) + "\n"


def _resume(part: Mapping[str, Any]) -> str:
    columns = {
        "resume_all_ms": "resume of all, ms",
        "resume_last_5_ms": "of the last 5, ms",
        "first_append_ms": "first append, ms",
        "appends_per_s": "appends/s, one at a time",
    }
    lines = [_head(["a session's log", *columns.values()])]
    lines += [_row(name, [_number(row.get(key)) for key in columns]) for name, row in part["figures"].items()]
    return "\n".join(lines) + "\n"


def _log(part: Mapping[str, Any]) -> str:
    rows = [_row(name, [_number(value)]) for name, value in part["figures"].items()]
    return "\n".join([_head(["the session log alone, `synchronous=FULL`", ""]), *rows]) + "\n"


def _head(cells: Sequence[str]) -> str:
    return f"{_row(cells[0], cells[1:])}\n{'| --- ' * len(cells)}|"


def _row(first: str, cells: Sequence[str]) -> str:
    return f"| {' | '.join([first, *cells])} |".replace("|  |", "| |")


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


# --- plots ------------------------------------------------------------------------------------------------------------


def _plots(parts: Mapping[str, Any]) -> dict[str, str]:
    plots: dict[str, str] = {}
    if "relay" in parts:
        figures, chats = parts["relay"]["figures"], parts["relay"]["sizes"]["chats"]
        for each in chats:
            rows = {name: row[f"both_per_s_{each}"] for name, row in figures.items() if name != "direct"}
            plots[f"messages-{each}-chats"] = _bars(f"Relayed messages/s, {each:,} chats", rows)
        kept = f"kib_{parts['relay']['sizes']['idle_chats'][-1]}"
        rows = {name: row[kept] for name, row in figures.items() if kept in row}
        plots["memory"] = _bars("KiB per idle chat", rows)
        plots["latency"] = _bars(
            "Latency p99, agent → guest, ms", {name: row["down_p99_ms"] for name, row in figures.items()}
        )
    if "growth" in parts:
        lines = {name: _by_number(row, "cpu_us") for name, row in parts["growth"]["figures"].items()}
        plots["growth"] = _lines("µs of processor time a message, by number of chats", lines)
    if "resume" in parts:
        by_length: dict[str, dict[int, float]] = {}
        for name, row in parts["resume"]["figures"].items():
            length, beside = (int(each) for each in re.findall(r"\d+", name))
            by_length.setdefault(f"{beside:,} records beside", {})[length] = row["resume_all_ms"]
        plots["resume"] = _lines("Resume of a whole chat, ms, by number of records", by_length)
    return plots


WIDTH, LEFT, ROW = 640, 150, 34


def _bars(title: str, values: Mapping[str, float]) -> str:
    most = max(values.values()) or 1.0
    room = WIDTH - LEFT - 90
    shapes = []
    for number, (name, value) in enumerate(values.items()):
        top = 44 + number * ROW
        width = max(1.0, room * value / most)
        shapes.append(_text(LEFT - 10, top + 15, NAMES[name].replace("`", ""), anchor="end"))
        shapes.append(f'<rect x="{LEFT}" y="{top}" width="{width:.1f}" height="20" fill="{COLOURS[name]}"/>')
        shapes.append(_text(LEFT + width + 8, top + 15, _number(value)))
    return _svg(title, shapes, height=54 + len(values) * ROW)


def _lines(title: str, lines: Mapping[str, Mapping[int, float]]) -> str:
    """Plot values over numbers, both axes logarithmic."""
    xs = sorted({x for line in lines.values() for x in line})
    ys = [y for line in lines.values() for y in line.values()]
    low, high = 10 ** math.floor(math.log10(min(ys))), 10 ** math.ceil(math.log10(max(ys)))
    top, bottom, left, right = 44, 270, 70, WIDTH - 190

    def place(value: float, least: float, most: float, start: float, end: float) -> float:
        share = math.log(value / least) / math.log(most / least) if most > least else 0.5
        return start + (end - start) * share

    shapes = []
    tick = low
    while tick <= high:
        y = place(tick, low, high, bottom, top)
        shapes.append(f'<path d="M{left} {y:.1f}H{right}" stroke="#888" stroke-width="0.5" opacity="0.5"/>')
        shapes.append(_text(left - 8, y + 4, _number(tick), anchor="end"))
        tick *= 10
    shapes += [_text(place(x, xs[0], xs[-1], left, right), bottom + 20, f"{x:,}", anchor="middle") for x in xs]
    colours = iter(COLOURS.values())
    for name, line in lines.items():
        colour = COLOURS.get(name) or next(colours)
        points = [(place(x, xs[0], xs[-1], left, right), place(y, low, high, bottom, top)) for x, y in line.items()]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        shapes.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        shapes += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>' for x, y in points]
        shapes.append(_text(right + 12, points[-1][1] + 4, NAMES.get(name, name).replace("`", "")))
    return _svg(title, shapes, height=304)


def _text(x: float, y: float, text: str, *, anchor: str = "start") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{text}</text>'


def _svg(title: str, shapes: Sequence[str], *, height: int) -> str:
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"',
            f'role="img" aria-label="{title}" font-family="system-ui, sans-serif" font-size="13" fill="#223">',
            f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
            f'<text x="16" y="24" font-size="15" font-weight="600">{title}</text>',
            *shapes,
            "</svg>\n",
        ]
    )


if __name__ == "__main__":
    write(HERE)
