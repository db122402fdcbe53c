"""The figures of CALIBRATION, from recorded and from simulated arrays alike, keyed as in `table`."""

import numpy as np

from bitnerve.domain.metrics import stylized_facts as facts

BPS = 1e4
DAYS = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
PERCENTILES = (("p10", 0.1), ("p50", 0.5), ("p90", 0.9))
LAGS_5M = {"acf 5m": 1, "acf 1h": 12, "acf 1d": 288}
LAGS_1H = {"acf 1h": 1, "acf 24h": 24}


def returns_of(closes):
    """Log returns in bps along the first axis."""
    return np.diff(np.log(closes), axis=0) * BPS


def _figures(returns, lags, bars_per_day):
    found = facts.describe_returns(returns, lags=tuple(lags.values()), bars_per_day=bars_per_day)
    return {
        "sd": found.sd,
        "kurtosis": found.kurtosis,
        "q99.9": found.quantile_999,
        "max": found.largest,
        **dict(zip(lags, found.clustering, strict=True)),
        "jumps/day": found.jumps_per_day,
        "jump share": found.jump_share,
        "tail index": found.tail_index,
        "r acf": found.return_autocorrelation,
    }


def _named(prefix, figures):
    return {f"{prefix} {name}": float(value) for name, value in figures.items()}


def _quantiles(prefix, rows):
    """p10, p50 and p90 over symbols of every figure in a list of figures."""
    return {
        f"{prefix} {name} {label}": float(np.quantile([row[name] for row in rows], share))
        for name in rows[0]
        for label, share in PERCENTILES
    }


def one_symbol(name, closes):
    """A row of the 5-minute table."""
    return _named(f"5m {name}", _figures(returns_of(closes), LAGS_5M, 288))


def many_symbols(closes):
    """The row of spot alts and majors."""
    return _quantiles("5m many", [_figures(series, LAGS_5M, 288) for series in returns_of(closes).T])


def five_minute_alts(closes):
    """Betas, R² and lags of the columns after the first, which is Bitcoin."""
    returns = returns_of(closes)
    market, alts = returns[:, 0], returns[:, 1:].T
    lines = [facts.regress(market, alt) for alt in alts]
    found = _quantiles("5m alts", [{"beta": line.beta, "R2": line.r2} for line in lines])
    for lag in (0, 1, 2, 6):
        pairs = [np.corrcoef(market[: len(market) - lag], alt[lag:])[0, 1] for alt in alts]
        found[f"5m BTC to alt, lag {lag}"] = float(np.median(pairs))
    return found


def hours(closes):
    """The 1-hour rows: closes [hour, symbol], Bitcoin first, Ether second; a symbol may begin later (NaN)."""
    returns = returns_of(closes)
    rows = []
    for series in returns.T:
        figures = _figures(series[np.isfinite(series)], LAGS_1H, 24)
        rows.append({name: figures[name] for name in ("sd", "kurtosis", "max", *LAGS_1H)})
    found = _named("1h BTC", rows[0]) | _named("1h ETH", rows[1]) | _quantiles("1h all", rows)
    together = facts.describe_co_movement(returns[np.isfinite(returns).all(axis=1)])
    found["1h mean correlation"] = together.mean_correlation
    found["1h first component"], found["1h second component"] = together.component_shares[:2]
    return found | regimes(closes)


def regimes(closes, prefix="1h"):
    """Betas, R² and idiosyncratic sd by what Bitcoin did in the 24 hours up to the close."""
    returns = returns_of(closes)
    market = returns[:, 0]
    day = np.full(len(market), np.nan)
    day[23:] = np.log(closes[24:, 0] / closes[:-24, 0])
    masks = {
        "all": np.ones(len(market), dtype=bool),
        "calm": np.abs(day) <= 0.03,
        "bull": day > 0.03,
        "bear": day < -0.03,
        "up-hours": market > 0,
        "down-hours": market < 0,
    }
    found = {}
    for name, mask in masks.items():
        rows = []
        for series in returns[:, 1:].T:
            chosen = mask & np.isfinite(market) & np.isfinite(series)
            line = facts.regress(market[chosen], series[chosen])
            rows.append({"beta": line.beta, "R2": line.r2, "own sd": line.residual_sd})
        found |= _quantiles(f"{prefix} {name}", rows)
    return found


def days(closes):
    """Daily closes [day, symbol], Bitcoin first: sd and kurtosis, and the amplification of large days."""
    returns = returns_of(closes)
    alts = returns[:, 1:]
    found = {
        "1d BTC sd": float(returns[:, 0].std()),
        "1d BTC kurtosis": facts.excess_kurtosis(returns[:, 0]),
        "1d alts sd p50": float(np.median([series[np.isfinite(series)].std() for series in alts.T])),
        "1d alts kurtosis p50": float(
            np.median([facts.excess_kurtosis(series[np.isfinite(series)]) for series in alts.T])
        ),
    }
    simple = closes[1:] / closes[:-1] - 1.0
    market = simple[:, 0]
    for name, low, high in (("up 3..5%", 0.03, 0.05), ("up > 5%", 0.05, 9.0)):
        for sign in (1, -1):
            label = name if sign > 0 else name.replace("up", "down")
            chosen = (sign * market > low) & (sign * market <= high)
            ratios = (simple[chosen, 1:] / market[chosen, None]).ravel()
            ratios = ratios[np.isfinite(ratios)]
            for percentile in (5, 25, 50, 75, 95, 99):
                value = np.quantile(ratios, percentile / 100) if len(ratios) else np.nan
                found[f"1d {label} p{percentile}"] = float(value)
            found[f"1d {label} days"] = float(chosen.sum())
            found[f"1d {label} > 5x"] = float((ratios > 5).mean()) if len(ratios) else np.nan
            found[f"1d {label} > 10x"] = float((ratios > 10).mean()) if len(ratios) else np.nan
    return found


def large_funding(series):
    """Rates, in bps, of the large perps: one array per symbol, Bitcoin and Ether first."""
    pool = np.concatenate(series)
    return {
        "funding 8 median": float(np.median(pool)),
        "funding 8 mean": float(pool.mean()),
        "funding 8 sd": float(pool.std()),
        "funding 8 p1": float(np.quantile(pool, 0.01)),
        "funding 8 p5": float(np.quantile(pool, 0.05)),
        "funding 8 p75": float(np.quantile(pool, 0.75)),
        "funding 8 p99": float(np.quantile(pool, 0.99)),
        "funding 8 at the clamp": float((np.abs(pool - 1.0) < 1e-6).mean()),
        "funding 8 positive": float((pool > 0).mean()),
        "funding 8 acf": float(np.median([facts.autocorrelation(rates, 1) for rates in series])),
        "funding 8 BTC mean": float(series[0].mean()),
        "funding 8 ETH mean": float(series[1].mean()),
    }


def broad_funding(series):
    """The same of a broad set, each symbol with as many settlements."""
    pool = np.concatenate(series)
    percents = (0.1, 1, 5, 99, 99.9)
    found = {f"funding broad p{percent}": float(np.percentile(pool, percent)) for percent in percents}
    found["funding broad at .5"] = float((np.abs(pool - 0.5) < 1e-6).mean())
    found["funding broad at 1"] = float((np.abs(pool - 1.0) < 1e-6).mean())
    return found


def mark_against_last(mark, last):
    """Last relative to mark at the close of hours, in bps."""
    gap = np.log(last / mark) * BPS
    return {
        "last to mark mean": float(gap.mean()),
        "last to mark sd": float(gap.std()),
        "last to mark max": float(np.abs(gap).max()),
    }


def traded_value(name, at, usd, closes):
    """Volume of one symbol: bars' opens in ms, value, closes. Bars without trades are left out."""
    returns = np.concatenate([[np.nan], returns_of(closes)])
    busy = (usd > 0) & np.isfinite(returns)
    log_usd, sizes = np.log(usd[busy]), np.abs(returns[busy])
    return {
        f"volume {name} median": float(np.median(usd)),
        f"volume {name} log sd": float(log_usd.std()),
        f"volume {name} acf 5m": facts.autocorrelation(log_usd, 1),
        f"volume {name} acf 1h": facts.autocorrelation(log_usd, 12),
        f"volume {name} acf 1d": facts.autocorrelation(log_usd, 288),
        f"volume {name} with abs r": float(np.corrcoef(log_usd, sizes)[0, 1]),
    } | _seasons(name, at, usd, returns)


def _seasons(name, at, usd, returns):
    by_hour = facts.seasonal_means(usd, at // 3_600_000 % 24, 24)
    by_day = facts.seasonal_means(usd, (at // 86_400_000 + 3) % 7, 7)
    moves = facts.seasonal_means(np.abs(returns[1:]), at[1:] // 3_600_000 % 24, 24)
    found = {f"volume {name} {hour:02d} h": float(by_hour[hour]) for hour in (5, 12, 13, 14, 15, 16, 21)}
    found |= {f"volume {name} {day}": float(by_day[number]) for number, day in enumerate(DAYS)}
    return found | {f"abs r {name} 05 h": float(moves[5]), f"abs r {name} 14 h": float(moves[14])}


def microstructure(stretches):
    """Quotes a second apart: a list of stretches (bid, ask, bid value, ask value, bid depth, ask depth)."""
    rows = []
    for bid, ask, bid_usd, ask_usd, bid_depth, ask_depth in stretches:
        middle = (bid + ask) / 2
        spread = (ask - bid) / middle * BPS
        imbalance = (bid_depth - ask_depth) / (bid_depth + ask_depth)
        moves, five = np.diff(np.log(middle)) * BPS, np.log(middle[5:] / middle[:-5]) * BPS
        rows.append(
            {
                "spread median": np.median(spread),
                "spread p95": np.quantile(spread, 0.95),
                "spread mean": spread.mean(),
                "bid value": np.median(bid_usd),
                "ask value": np.median(ask_usd),
                "imbalance sd": imbalance.std(),
                "imbalance acf": facts.autocorrelation(imbalance, 1),
                "imbalance to 1 s": np.corrcoef(imbalance[:-1], moves)[0, 1],
                "imbalance to 5 s": np.corrcoef(imbalance[:-5], five)[0, 1],
                "1 s sd": moves.std(),
            }
        )
    found = {f"book {name}": float(np.mean([row[name] for row in rows])) for name in rows[0]}
    found["book 1 s sd"] = float(np.sqrt(np.mean([row["1 s sd"] ** 2 for row in rows])))
    return found
