"""The tables of CALIBRATION as rows: a figure, what was measured, how close a simulation must come."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rule:
    """A judgment of a simulated figure against a measured one."""

    name: str
    ratio: float | None = None
    """The larger over the smaller, at most; signs must agree."""
    distance: float | None = None
    """Or the difference, at most: for rows near zero."""

    def accepts(self, target, value):
        """Whether the value is close enough."""
        if self.distance is not None and abs(value - target) <= self.distance:
            return True
        if self.ratio is None or value * target <= 0:
            return False
        return 1 / self.ratio <= value / target <= self.ratio


@dataclass(frozen=True)
class Within(Rule):
    """Within a part of the target, which is what "within 25 %" says."""

    part: float = 0.25

    def accepts(self, target, value):
        """Whether the value is close enough."""
        return abs(value - target) <= self.part * abs(target)


CLOSE = Within("within 25 %")
DOUBLE = Rule("factor 2", ratio=2.0)
FEW_DAYS = Rule("few days: factor 3 or .7", ratio=3.0, distance=0.7)
OTHER_YEARS = Rule("other years: factor 2", ratio=2.0)
ONE_STRETCH = Rule("one stretch: factor 3", ratio=3.0)


def near_zero(distance):
    """A rule for a row near zero."""
    return Rule(f"near zero: within {distance:g}", distance=distance)


@dataclass(frozen=True)
class Row:
    """One figure of CALIBRATION."""

    key: str
    target: float
    rule: Rule


RETURN_RULES = {
    "sd": CLOSE,
    "kurtosis": DOUBLE,
    "q99.9": CLOSE,
    "max": DOUBLE,
    "acf 5m": CLOSE,
    "acf 1h": CLOSE,
    "acf 1d": CLOSE,
    "jumps/day": DOUBLE,
    "jump share": DOUBLE,
    "tail index": CLOSE,
}


def _line(prefix, rules, figures):
    pairs = zip(rules.items(), figures.split(), strict=True)
    return [Row(f"{prefix} {name}", float(figure), rule) for (name, rule), figure in pairs]


def _quantiles(prefix, name, rule, figures):
    pairs = zip(("p10", "p50", "p90"), figures.split(), strict=True)
    return [Row(f"{prefix} {name} {label}", float(figure), rule) for label, figure in pairs]


FIVE_MINUTES = [
    *_line("5m BTC", RETURN_RULES, "13.6 24 100 246 .36 .26 .16 .91 .13 3.07"),
    *_line("5m ETH", RETURN_RULES, "22.5 33 170 593 .31 .19 .10 1.01 .17 3.04"),
    *_line("5m SOL", RETURN_RULES, "27.1 21 204 610 .31 .23 .13 .64 .11 3.03"),
    *_line("5m XRP", RETURN_RULES, "27.6 39 213 667 .38 .27 .14 .85 .15 2.84"),
    *_line("5m BNB", RETURN_RULES, "15.2 29 101 413 .33 .25 .12 .70 .12 3.32"),
    *_line("5m DOGE", RETURN_RULES, "29.5 27 199 836 .29 .21 .10 .71 .12 3.31"),
    *_line("5m INJ", RETURN_RULES, "33.7 10 186 635 .22 .16 .08 .43 .07 3.95"),
    *[
        Row(f"5m {name} r acf", 0.0, near_zero(0.015))
        for name in ("BTC", "ETH", "SOL", "XRP", "BNB", "DOGE", "BCH", "INJ")
    ],
    *_quantiles("5m many", "sd", CLOSE, "23 33 41"),
    *_quantiles("5m many", "kurtosis", DOUBLE, "12 18 36"),
    *_quantiles("5m many", "q99.9", CLOSE, "158 222 304"),
    *_quantiles("5m many", "max", DOUBLE, "510 642 810"),
    Row("5m many acf 5m p50", 0.30, CLOSE),
    Row("5m many acf 1h p50", 0.21, CLOSE),
    Row("5m many acf 1d p50", 0.09, CLOSE),
    *_quantiles("5m many", "jumps/day", DOUBLE, ".51 .62 .91"),
    *_quantiles("5m many", "jump share", DOUBLE, ".08 .11 .17"),
    *_quantiles("5m many", "tail index", CLOSE, "2.9 3.3 3.6"),
    *_quantiles("5m alts", "beta", CLOSE, "1.10 1.38 1.58"),
    *_quantiles("5m alts", "R2", CLOSE, ".32 .49 .55"),
    Row("5m BTC to alt, lag 0", 0.70, CLOSE),
    Row("5m BTC to alt, lag 1", 0.006, near_zero(0.02)),
    Row("5m BTC to alt, lag 2", 0.002, near_zero(0.02)),
    Row("5m BTC to alt, lag 6", -0.017, near_zero(0.03)),
]

HOURS = [
    Row("1h BTC sd", 50, CLOSE),
    Row("1h BTC kurtosis", 11, DOUBLE),
    Row("1h BTC max", 503, DOUBLE),
    Row("1h ETH sd", 79, CLOSE),
    Row("1h ETH kurtosis", 18, DOUBLE),
    Row("1h ETH max", 1230, DOUBLE),
    *_quantiles("1h all", "sd", CLOSE, "98 126 155"),
    *_quantiles("1h all", "kurtosis", DOUBLE, "6 12 61"),
    *_quantiles("1h all", "max", DOUBLE, "1220 1564 3278"),
    *_quantiles("1h all", "acf 1h", CLOSE, ".18 .23 .34"),
    *_quantiles("1h all", "acf 24h", CLOSE, ".09 .12 .17"),
    Row("1h mean correlation", 0.62, CLOSE),
    Row("1h first component", 0.63, CLOSE),
    Row("1h second component", 0.02, near_zero(0.02)),
    *_quantiles("1h all", "beta", CLOSE, "1.20 1.54 1.74"),
    *_quantiles("1h all", "R2", CLOSE, ".24 .39 .48"),
    *_quantiles("1h all", "own sd", CLOSE, "74 98 129"),
    *_quantiles("1h calm", "beta", CLOSE, "1.27 1.63 1.90"),
    *_quantiles("1h calm", "R2", CLOSE, ".23 .38 .47"),
    *_quantiles("1h calm", "own sd", CLOSE, "67 92 122"),
    *_quantiles("1h bull", "beta", CLOSE, ".76 1.09 1.30"),
    *_quantiles("1h bull", "R2", CLOSE, ".15 .31 .41"),
    *_quantiles("1h bull", "own sd", CLOSE, "83 113 162"),
    *_quantiles("1h bear", "beta", CLOSE, "1.25 1.62 1.84"),
    *_quantiles("1h bear", "R2", CLOSE, ".30 .52 .61"),
    *_quantiles("1h bear", "own sd", CLOSE, "106 127 177"),
    Row("1h up-hours beta p50", 1.27, CLOSE),
    Row("1h down-hours beta p50", 1.51, CLOSE),
]

# Fifteen large alts in the years before: the market is calibrated to 2024-25, so these say only how far times
# differ.
OTHER = [
    *_quantiles("21-23 all", "beta", OTHER_YEARS, "1.10 1.28 1.41"),
    *_quantiles("21-23 all", "R2", OTHER_YEARS, ".45 .52 .59"),
    *_quantiles("21-23 calm", "beta", OTHER_YEARS, "1.08 1.27 1.44"),
    *_quantiles("21-23 calm", "R2", OTHER_YEARS, ".39 .47 .54"),
    *_quantiles("21-23 bull", "beta", OTHER_YEARS, ".83 .96 1.10"),
    *_quantiles("21-23 bull", "R2", OTHER_YEARS, ".33 .42 .55"),
    *_quantiles("21-23 bear", "beta", OTHER_YEARS, "1.24 1.43 1.56"),
    *_quantiles("21-23 bear", "R2", OTHER_YEARS, ".55 .66 .72"),
]

_DAY_RULES = {
    "p5": near_zero(1.5),
    "p25": FEW_DAYS,
    "p50": FEW_DAYS,
    "p75": FEW_DAYS,
    "p95": FEW_DAYS,
    "p99": FEW_DAYS,
    "> 5x": near_zero(0.05),
    "> 10x": near_zero(0.005),
}
DAYS = [
    *_line("1d up 3..5%", _DAY_RULES, "-.18 .65 1.19 1.90 3.50 5.53 .015 .0009"),
    *_line("1d up > 5%", _DAY_RULES, ".14 .71 1.10 1.56 2.84 4.18 .0025 0"),
    *_line("1d down 3..5%", _DAY_RULES, "-.81 .73 1.62 2.40 4.20 5.42 .025 0"),
    *_line("1d down > 5%", _DAY_RULES, ".75 1.50 1.85 2.15 2.61 3.06 .002 0"),
]

FUNDING = [
    Row("funding 8 median", 0.39, CLOSE),
    Row("funding 8 mean", 0.23, DOUBLE),
    Row("funding 8 sd", 0.90, CLOSE),
    Row("funding 8 p1", -3.3, CLOSE),
    Row("funding 8 p5", -1.4, CLOSE),
    Row("funding 8 p75", 1.0, CLOSE),
    Row("funding 8 p99", 1.0, CLOSE),
    Row("funding 8 at the clamp", 0.25, CLOSE),
    Row("funding 8 positive", 0.66, CLOSE),
    Row("funding 8 acf", 0.49, CLOSE),
    Row("funding 8 BTC mean", 0.48, DOUBLE),
    Row("funding 8 ETH mean", 0.47, DOUBLE),
    Row("funding broad p0.1", -102, CLOSE),
    Row("funding broad p1", -25, CLOSE),
    Row("funding broad p5", -5, CLOSE),
    Row("funding broad p99", 3.9, CLOSE),
    Row("funding broad p99.9", 10, CLOSE),
    Row("funding broad at .5", 0.40, CLOSE),
    Row("funding broad at 1", 0.09, CLOSE),
]

_VOLUME_RULES = {
    "median": DOUBLE,
    "log sd": CLOSE,
    "acf 5m": CLOSE,
    "acf 1h": CLOSE,
    "acf 1d": CLOSE,
    "with abs r": CLOSE,
}
_SEASON_RULES = {
    **{f"{hour:02d} h": CLOSE for hour in (5, 12, 13, 14, 15, 16, 21)},
    **dict.fromkeys(("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"), CLOSE),
}
TRADING = [
    Row("last to mark mean", -0.2, near_zero(0.3)),
    Row("last to mark sd", 1.0, CLOSE),
    Row("last to mark max", 18, DOUBLE),
    *_line("volume BTC", _VOLUME_RULES, "34.2e6 .94 .77 .50 .26 .56"),
    *_line("volume DOGE", _VOLUME_RULES, "3.27e6 .90 .77 .54 .37 .52"),
    *_line("volume BTC", _SEASON_RULES, ".63 1.06 1.63 2.12 1.76 1.38 .76 1.29 1.14 1.12 1.11 1.16 .47 .70"),
    Row("abs r BTC 05 h", 0.73, CLOSE),
    Row("abs r BTC 14 h", 1.60, CLOSE),
    Row("volume DOGE Mo", 1.21, CLOSE),
    Row("volume DOGE Sa", 0.80, CLOSE),
    Row("volume DOGE Su", 0.90, CLOSE),
]

BOOK = [
    Row("book spread median", 0.016, ONE_STRETCH),
    Row("book spread p95", 0.016, ONE_STRETCH),
    Row("book spread mean", 0.023, ONE_STRETCH),
    Row("book bid value", 177e3, ONE_STRETCH),
    Row("book ask value", 206e3, ONE_STRETCH),
    Row("book imbalance sd", 0.55, ONE_STRETCH),
    Row("book imbalance acf", 0.31, ONE_STRETCH),
    Row("book imbalance to 1 s", 0.24, ONE_STRETCH),
    Row("book imbalance to 5 s", 0.13, ONE_STRETCH),
    Row("book 1 s sd", 1.27, ONE_STRETCH),
]

ROWS = [*FIVE_MINUTES, *HOURS, *OTHER, *DAYS, *FUNDING, *TRADING, *BOOK]
