"""Which colors, dashes and sizes tell the lines of a chart apart, by day, by night and on a telephone?

The colors keep 3:1 contrast to their background and stay apart under red-green blindness; the dashes tell lines apart
without any color.
"""

from __future__ import annotations

from bitnerve.engine.race import Line

NARROW_PX = 700
"""Below this width of the picture, in CSS pixels, the narrow layout takes over."""

LIGHT = {
    "bg": "#ffffff",
    "text": "#1b1f24",
    "muted": "#59626d",
    "grid": "#e4e8ec",
    "start": "#59626d",
    "grey": "#868e97",
    "c0": "#1f2fd0",
    "c1": "#d96b16",
    "c2": "#6d166d",
    "c3": "#2f8cff",
    "c4": "#428850",
    "c5": "#6f2000",
}
DARK = {
    "bg": "#11161d",
    "text": "#e8edf2",
    "muted": "#a3adb8",
    "grid": "#262e38",
    "start": "#a3adb8",
    "grey": "#7f8893",
    "c0": "#6478cc",
    "c1": "#e1613c",
    "c2": "#f1afff",
    "c3": "#04da8f",
    "c4": "#ffb031",
    "c5": "#bb28ff",
}
COLORS = 6

DASHES = (
    "none",
    "8 3",
    "2 3",
    "12 3 2 3",
    "5 5",
    "16 4",
    "8 3 2 3 2 3",
    "3 6",
    "12 3 5 3",
    "16 3 2 3 2 3",
    "6 2 1 2",
    "20 3 8 3",
)
BENCHMARK_DASHES = ("none", "2 3", "7 3", "7 3 2 3", "12 4", "4 6")


def look(line: Line) -> tuple[str, str]:
    """Return the classes of a line: its color, then its width and dashes."""
    if line.benchmark:
        return "grey", f"q{line.order % len(BENCHMARK_DASHES)}"
    return f"c{line.order % COLORS}", f"p{line.order % len(DASHES)}"


def style_sheet(moved: str) -> str:
    """Return the rules, all below the class of the drawing so that they bind nothing else on a page.

    `moved` is where the lines go in the narrow layout. Plain colors stand before the variables, for programs that do
    not know variables.
    """
    rules = [
        "{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;"
        f"max-width:100%;height:auto;{_variables(LIGHT)}}}",
        f" text{{{_paint('fill', 'text')};font-variant-numeric:tabular-nums}}",
        f" .bg{{{_paint('fill', 'bg')}}}",
        f" .m{{{_paint('fill', 'muted')}}}",
        " .b{font-weight:700}",
        " .e{text-anchor:end}",
        " .c{text-anchor:middle}",
        " path{fill:none;stroke-width:2;stroke-linejoin:round;stroke-linecap:butt;vector-effect:non-scaling-stroke}",
        f" .grid{{{_paint('stroke', 'grid')};stroke-width:1}}",
        f" .start{{{_paint('stroke', 'start')};stroke-width:1}}",
        f" .faint{{{_paint('stroke', 'grey')};stroke-width:1;opacity:.3}}",
        f" .grey{{{_paint('stroke', 'grey')}}}",
        *(f" .c{i}{{{_paint('stroke', f'c{i}')}}}" for i in range(COLORS)),
        *(f" .p{i}{{stroke-dasharray:{dash}}}" for i, dash in enumerate(DASHES)),
        *(f" .q{i}{{stroke-width:1.3;stroke-dasharray:{dash}}}" for i, dash in enumerate(BENCHMARK_DASHES)),
        " .lead{stroke-width:1;opacity:.6}",
        " .dot{stroke-width:7;stroke-linecap:round}",
        " .area{stroke-width:1;fill-opacity:.25}",
        f" .area.grey{{{_paint('fill', 'grey')}}}",
        *(f" .area.c{i}{{{_paint('fill', f'c{i}')}}}" for i in range(COLORS)),
    ]
    forced = "bg:Canvas;text:CanvasText;muted:CanvasText;grid:GrayText;start:CanvasText;grey:GrayText"
    return "\n".join(
        [
            *(ROOT + rule for rule in rules),
            f"@media (prefers-color-scheme:dark){{{ROOT}{{{_variables(DARK)}}}}}",
            f"@media (forced-colors:active){{{ROOT}{{{_variables(dict(p.split(':') for p in forced.split(';')))}}}}}",
            f"@media (max-width:{NARROW_PX}px){{{ROOT} .wide{{display:none}}{ROOT} .narrow{{display:inline}}"
            f"{ROOT} .lines{{transform:{moved}}}{ROOT} .dot{{stroke-width:4}}"
            f"{ROOT} path{{stroke-width:1.6}}{ROOT} .faint{{stroke-width:.5}}}}",
        ]
    )


ROOT = ".bitnerve-race"


def _variables(palette: dict[str, str]) -> str:
    return ";".join(f"--race-{name}:{color}" for name, color in palette.items())


def _paint(what: str, name: str) -> str:
    return f"{what}:{LIGHT[name]};{what}:var(--race-{name})"
