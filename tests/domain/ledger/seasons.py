"""A small season in which everything happens, made by driving the kernel directly with drawn orders."""

from decimal import Decimal

import numpy as np

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market.instrument import Instrument, instrument_arrays, make_instrument, make_tier
from bitnerve.domain.market.recording import Candles, FundingSchedule, Recording, Source
from bitnerve.domain.trading import acceptance, account, marking, orders, positions, session
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.domain.units import SCALE
from bitnerve.engine.run import UNSTATED, AgentCard, DecisionLog, Run

MINUTE = 60_000
START = 1_735_689_600_000  # 2025-01-01
BARS_PER_TICK = 5
NAMES = ("ada", "böb", "cy")
CAPITAL = 10_000 * SCALE


def _tiers() -> list:
    bounds = ((Decimal(20_000), "0.005", 0, 50), (Decimal(100_000), "0.01", 100, 25), (None, "0.025", 1_600, 10))
    return [
        make_tier(
            notional_until=until,
            maintenance_rate=Decimal(rate),
            deduction=Decimal(deduction),
            leverage_max=leverage,
            field="tier",
        )
        for until, rate, deduction, leverage in bounds
    ]


def make_instruments() -> tuple[Instrument, ...]:
    grids = (("BTCUSDT", "0.1", "0.001"), ("DOGEUSDT", "0.00001", "1"), ("ETHUSDT", "0.01", "0.01"))
    return tuple(
        make_instrument(
            symbol=symbol,
            tick_size=Decimal(tick),
            lot_size=Decimal(lot),
            min_quantity=Decimal(lot),
            min_notional=Decimal(5),
            tiers=_tiers(),
            maker_fee_rate=Decimal("-0.0001") if symbol == "ETHUSDT" else Decimal("0.0002"),
        )
        for symbol, tick, lot in grids
    )


def make_recording(bars: int, generator: np.random.Generator) -> Recording:
    """Return a market of wild walks with gaps at the opens, and funding every hour that is sometimes unknown."""
    instruments = make_instruments()
    ticks = np.array([one.tick_size for one in instruments])
    base = np.array([60_000.0, 0.3, 3_000.0])
    gaps = np.where(generator.random((bars, 3)) < 0.01, 0.06, 0.0005) * generator.standard_normal((bars, 3))
    moves = 0.003 * generator.standard_normal((bars, 3))
    close = base * np.exp(np.cumsum(gaps + moves, axis=0) - 0.00002 * np.arange(bars)[:, None])
    opened = close * np.exp(-moves)
    high = np.maximum(opened, close) * (1 + 0.001 * generator.random((bars, 3)))
    low = np.minimum(opened, close) * (1 - 0.001 * generator.random((bars, 3)))
    prices = [np.rint(part * SCALE / ticks).astype(np.int64) * ticks for part in (opened, high, low, close)]
    lots = np.array([one.lot_numerator / one.lot_denominator for one in instruments])
    volume = (generator.random((bars, 3)) * 400_000 / base / lots).astype(np.int64)
    quiet = generator.random((bars, 3)) < 0.02
    quiet[0] = False
    volume[quiet] = 0
    for bar in range(1, bars):
        # A symbol without volume stands still at its last close.
        for part in prices:
            part[bar][quiet[bar]] = prices[3][bar - 1][quiet[bar]]
    turnover = (volume * lots * prices[3] / SCALE).astype(np.int64) * SCALE + (volume > 0)
    hours = np.arange(1, bars // 60 + 1)
    at = np.repeat(START + hours * 60 * MINUTE, 3)
    at[at % (120 * MINUTE) == 0] -= 17_000  # off the grid
    return Recording(
        instruments=instruments,
        candles=Candles(
            start_at=START,
            interval_ms=MINUTE,
            open=prices[0],
            high=prices[1],
            low=prices[2],
            close=prices[3],
            volume=volume,
            quote_volume=turnover,
        ),
        mark=np.vstack([prices[0][:1], prices[3]]),
        mark_path=None,
        funding=FundingSchedule(
            at=at,
            symbol=np.tile(np.arange(3), len(hours)),
            rate=generator.integers(-40_000, 60_000, len(at)),
            known=generator.random(len(at)) > 0.2,
        ),
        sources=(Source(name="candles.parquet", sha256="ab" * 32),),
    )


def _bar_table(recording: Recording) -> np.ndarray:
    candles = recording.candles
    prices = (candles.open, candles.high, candles.low, candles.close)
    return integers(np.stack([*prices, candles.volume, candles.quote_volume, *prices]))


def _funding_table(recording: Recording) -> np.ndarray:
    funding = recording.funding
    due = -((START - funding.at) // MINUTE)
    return integers(np.stack([due, funding.at, funding.symbol, funding.rate, funding.known.astype(np.int64)], axis=1))


def _draw_order(exchange: Exchange, a: int, generator: np.random.Generator, recording: Recording) -> dict[int, int]:
    """Draw an order that is mostly fit and sometimes refused."""
    symbol = int(generator.integers(3))
    instrument = recording.instruments[symbol]
    last = int(exchange.prices[account.LAST, symbol])
    side = 1 if generator.random() < 0.5 else -1
    lot = last * instrument.lot_numerator // instrument.lot_denominator
    # The last agent plays for everything, so that the market gets it.
    size = generator.choice([200, 2_000, 20_000]) if a < 2 else 60_000
    order = {
        orders.SYMBOL: symbol,
        orders.SIDE: side,
        orders.PARENT: -1,
        orders.QUANTITY: int(size * SCALE * generator.random()) // lot,
        orders.ISOLATED: int(exchange.positions[a, symbol, positions.ISOLATED])
        if exchange.positions[a, symbol, positions.QUANTITY] != 0
        else int(generator.random() < 0.5),
        orders.LEVERAGE: int(generator.choice([0, 2, 5, 10, 20, 50])) if a < 2 else 10,
    }

    def level(offset: float) -> int:
        return int(last * (1 + offset)) // instrument.tick_size * instrument.tick_size

    draw = generator.random()
    if draw < 0.15:
        order |= {orders.REDUCE_ONLY: 1, orders.CLOSE_POSITION: 1, orders.REASON: orders.EXIT, orders.LEVERAGE: 0}
        order[orders.SIDE] = -1 if exchange.positions[a, symbol, positions.QUANTITY] > 0 else 1
    elif draw < 0.35:
        order |= {orders.TYPE: orders.LIMIT, orders.LIMIT_PRICE: level(-side * 0.002)}
        order[orders.TIME_IN_FORCE] = int(generator.choice([orders.GTC, orders.IOC, orders.POST_ONLY]))
    elif draw < 0.45:
        order |= {orders.TYPE: orders.STOP_MARKET, orders.TRIGGER_PRICE: level(side * 0.004)}
    elif draw < 0.5:
        order[orders.TIME_IN_FORCE] = orders.FOK
    elif draw < 0.7:
        order |= {orders.STOP_LOSS: level(-side * 0.01), orders.TAKE_PROFIT: level(side * 0.012)}
        order[orders.TRAILING_RATE] = int(generator.choice([0, 500_000]))
    return order


def make_run(*, seed: int = 7, bars: int = 600) -> Run:
    """Return a finished run of three agents; the same seed gives the same run."""
    generator = np.random.Generator(np.random.PCG64(seed))
    recording = make_recording(bars, generator)
    ticks = np.arange(0, bars + 1, BARS_PER_TICK)
    exchange = account.open_exchange(
        instruments=instrument_arrays(recording.instruments),
        rules=Rules(),
        account_count=len(NAMES),
        capital=CAPITAL,
        has_mark=False,
    )._replace(
        orders=zeros(200_000, orders.COLUMNS),
        events=zeros(200_000, account.EVENT_COLUMNS),
        working=zeros(len(NAMES), 4_000),
    )
    marks = marking.blank_marks(len(ticks), len(NAMES), len(ticks) * len(NAMES) * 3)
    table, mark, funding = _bar_table(recording), integers(recording.mark), _funding_table(recording)
    at = integers(START + np.arange(bars + 1) * MINUTE)
    facts, cursor = zeros(2), 0
    for tick, bar in enumerate(ticks.tolist()):
        if tick:
            cursor = session.play_bars(exchange, table, mark, funding, cursor, bar - BARS_PER_TICK, bar, at)
        session.mark_tick(exchange, table, mark, marks, bar, tick)
        if tick == len(ticks) - 1:
            break
        for a in range(len(NAMES)):
            for _ in range(int(generator.integers(0, 3)) if tick else 0):
                row = int(exchange.cursors[account.ORDER_COUNT])
                for column, value in _draw_order(exchange, a, generator, recording).items():
                    exchange.orders[row, column] = value
                acceptance.accept(exchange, a, row, facts, START + bar * MINUTE)
    shape = (len(ticks) - 1, len(NAMES))
    return Run(
        recording=recording,
        rules=Rules(),
        capital=CAPITAL,
        tick_ms=BARS_PER_TICK * MINUTE,
        seed=seed,
        agents=tuple(AgentCard(name, "drawn", {"number": str(number)}) for number, name in enumerate(NAMES)),
        exchange=exchange,
        marks=marks,
        ticks=START + ticks * MINUTE,
        decisions=DecisionLog(
            action=generator.integers(1, 3, shape).astype(np.int32),
            confidence=np.where(generator.random(shape) < 0.5, UNSTATED, 75_000_000),
            reason=generator.integers(0, 2, shape).astype(np.int32),
            verdict=np.full(shape, 3, dtype=np.int32),
            texts=("", "HOLD", "TRADE", '[{"code": "µ\\n"}]'),
            snapshots=tuple(f"{number:064x}" for number in range(shape[0])),
        ),
    )
