"""A bar chart with a logarithmic scale, as SVG, for light and dark pages."""

import math
from html import escape

WIDTH, LEFT, RIGHT, ROW, TOP = 760, 230, 70, 26, 48

STYLE = """
  text { font: 13px system-ui, sans-serif; fill: #24292f }
  .title { font-weight: 600 } .axis { fill: #57606a; font-size: 11px }
  line { stroke: #d0d7de } .ours { fill: #1a7f37 } .others { fill: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .axis { fill: #9198a1 } line { stroke: #3d444d }
    .ours { fill: #3fb950 } .others { fill: #656c76 }
  }
"""


def bars(figures):
    """[(name, µs over bare, whether it is ours)], fastest first: a valid RS256 token, and our first sight."""
    peers = figures.peers()
    rows = peers.get("rs256", {})
    # Every row of the peers' run has the same floor: the service itself, whatever it is asked.
    bare = next((row["bare"] for row in peers.values() if "bare" in row), None)
    made = []
    if bare is not None and "ours" in rows:
        first = peers.get("first_sight", {}).get("ours")
        made = [("tower-mcp-auth", rows["ours"]), ("tower-mcp-auth, first sight", first)]
        skipped = {"bare", "raw_verify", "ours", "ours_without_cache"}
        made += [(name, ns) for name, ns in rows.items() if name not in skipped]
    else:
        goals = figures.benches.get("goals", {})
        bare = goals.get("bare", {}).get("ns", 0)
        named = [("known RS256 token", "warm/RS256"), ("known service key", "warm/service_key"),
                 ("known personal token", "warm/personal"), ("first sight of RS256", "first_sight/RS256")]
        made = [(f"tower-mcp-auth, {name}", goals[row]["ns"]) for name, row in named if row in goals]
    made = [(name, (ns - bare) / 1e3, name.startswith("tower-mcp-auth")) for name, ns in made if ns and ns > bare]
    return sorted(made, key=lambda bar: bar[1])


def draw(rows):
    low = 10 ** math.floor(math.log10(min((us for _, us, _ in rows), default=0.1)))
    high = 10 ** math.ceil(math.log10(max((us for _, us, _ in rows), default=10)))
    place = lambda us: LEFT + (WIDTH - LEFT - RIGHT) * math.log10(us / low) / math.log10(high / low)
    bottom = TOP + ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 24}" role="img" aria-label="µs a request costs over the bare service">',
        f"<style>{STYLE}</style>",
        '<text class="title" x="8" y="20">µs a request with a valid token costs over the bare service (each line: ten times more)</text>',
    ]
    tick = low
    while tick <= high * 1.001:
        x = place(tick)
        parts.append(f'<line x1="{x:.1f}" y1="{TOP - 8}" x2="{x:.1f}" y2="{bottom}"/>')
        parts.append(f'<text class="axis" x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{tick:g}</text>')
        tick *= 10
    for number, (name, us, is_ours) in enumerate(rows):
        y = TOP + ROW * number
        kind = "ours" if is_ours else "others"
        parts.append(f'<text x="{LEFT - 8}" y="{y + 14}" text-anchor="end">{escape(name)}</text>')
        parts.append(f'<rect class="{kind}" x="{LEFT}" y="{y + 2}" width="{max(place(us) - LEFT, 1):.1f}" height="{ROW - 9}" rx="2"/>')
        parts.append(f'<text x="{place(us) + 6:.1f}" y="{y + 14}">{us:.3g}</text>')
    return "\n".join(parts + ["</svg>"]) + "\n"
