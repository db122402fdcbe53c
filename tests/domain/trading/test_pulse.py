"""The pulse between ticks: what every account is worth at new marks, and who is in breach."""

import random
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market.instrument import instrument_arrays, make_instrument, make_tier
from bitnerve.domain.trading import account, positions
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.trading.liquidation import ACCOUNTS_AT_ONCE, revalue
from bitnerve.domain.units import SCALE
from tests.engine.profiles import PROPERTY

ACCOUNTS, SYMBOLS = 18, 5
TIERS = [(Decimal(10_000), "0.01", "0"), (Decimal(100_000), "0.025", "150"), (None, "0.5", "47650")]
LOTS = [Decimal("0.01"), Decimal("0.001"), Decimal(1), Decimal(1000), Decimal("0.00000001")]


def instruments():
    tiers = [
        make_tier(
            notional_until=until,
            maintenance_rate=Decimal(rate),
            deduction=Decimal(deduction),
            leverage_max=2,
            field="tier",
        )
        for until, rate, deduction in TIERS
    ]
    return [
        make_instrument(
            symbol=f"S{column}",
            tick_size=Decimal(1),
            lot_size=lot,
            min_quantity=lot,
            min_notional=Decimal(5),
            tiers=tiers,
        )
        for column, lot in enumerate(LOTS)
    ]


def expected(cells, held, marks, specs):
    """Return (equity, in breach) of an account from unbounded integers; sums in parts of SCALE × SCALE."""
    equity = cells[account.CASH]
    units = {-1: (cells[account.CASH] - cells[account.LOCKED]) * SCALE * SCALE}
    for column, row in enumerate(held):
        if row[positions.QUANTITY] == 0:
            continue
        spec, parts = specs[column], SCALE // specs[column].lot_denominator
        product = row[positions.QUANTITY] * spec.lot_numerator * marks[column]
        equity += product // spec.lot_denominator - row[positions.COST]
        value = -(-abs(product) // spec.lot_denominator)
        rate, deduction = next(
            (int(Decimal(rate) * SCALE), int(Decimal(deduction) * SCALE))
            for until, rate, deduction in TIERS
            if until is None or value <= int(until * SCALE)
        )
        left = (product * parts - row[positions.COST] * SCALE) * SCALE - abs(product) * parts * rate
        left += deduction * SCALE * SCALE
        unit = column if row[positions.ISOLATED] else -1
        units[unit] = units.get(unit, row[positions.MARGIN] * SCALE * SCALE) + left
    has_cross = cells[account.CROSS_COUNT] > 0
    return equity, any(left < 0 for unit, left in units.items() if unit >= 0 or has_cross)


@PROPERTY
@given(seed=st.integers(0, 2**32), size=st.sampled_from([1, 10**3, 10**6, 10**9]))
def test_the_pulse_is_exact_for_cross_and_isolated_positions(seed, size):
    dice = random.Random(seed)
    specs = instruments()
    exchange = account.open_exchange(
        instruments=instrument_arrays(specs), rules=Rules(), account_count=ACCOUNTS, capital=0, has_mark=False
    )
    marks = [dice.randint(1, 10 ** dice.randint(1, 12)) for _ in range(SYMBOLS)]
    for a in range(ACCOUNTS):
        cells = exchange.accounts[a]
        needs = 0
        for column, spec in enumerate(specs):
            lots = dice.choice([0, 1, -1]) * dice.randint(1, size)
            product = lots * spec.lot_numerator * marks[column]
            if abs(product) // spec.lot_denominator > 10**17:
                continue
            row = exchange.positions[a, column]
            row[positions.QUANTITY] = lots
            row[positions.COST] = product // spec.lot_denominator + dice.randint(-(10**6), 10**6) if lots else 0
            if lots and dice.random() < 0.3:
                row[positions.ISOLATED] = 1
                row[positions.MARGIN] = abs(product) // spec.lot_denominator * dice.randint(0, 20) // 500
                cells[account.LOCKED] += row[positions.MARGIN]
            elif lots:
                cells[account.CROSS_COUNT] += 1
                needs += abs(product) // spec.lot_denominator
        # Around what one of the tiers asks for, so that many accounts are a close call.
        cells[account.CASH] = cells[account.LOCKED] + needs * dice.choice([0, 4, 5, 6, 20, 260]) // 500
        cells[account.CASH] += dice.randint(-2 * 10**6, 2 * 10**6)
    equity, breached = zeros(ACCOUNTS), zeros(ACCOUNTS)
    for part in ((0, 7), (7, ACCOUNTS)):
        revalue(exchange, *part, integers(marks), equity, breached)
    for a in range(ACCOUNTS):
        right = expected(exchange.accounts[a].tolist(), exchange.positions[a].tolist(), marks, specs)
        assert (int(equity[a]), bool(breached[a])) == right


def test_the_pulse_refuses_a_sum_that_no_account_can_hold():
    specs = instruments()
    exchange = account.open_exchange(
        instruments=instrument_arrays(specs), rules=Rules(), account_count=1, capital=2**62, has_mark=False
    )
    exchange.positions[0, 2, positions.QUANTITY] = 2**61 // 10**8
    with pytest.raises(OverflowError):
        revalue(exchange, 0, 1, integers([1, 1, 3 * 10**8, 1, 1]), zeros(1), zeros(1))


def test_the_pulse_leaves_no_account_out():
    many = 2 * ACCOUNTS_AT_ONCE + 1
    exchange = account.open_exchange(
        instruments=instrument_arrays(instruments()), rules=Rules(), account_count=many, capital=0, has_mark=False
    )
    for a in range(many):
        exchange.accounts[a, account.CASH] = a
        exchange.positions[a, 2, positions.QUANTITY] = 1
        exchange.positions[a, 2, positions.COST] = 1000
        exchange.accounts[a, account.CROSS_COUNT] = 1
    equity, breached = zeros(many), zeros(many)
    revalue(exchange, 0, many, integers([1, 1, 1000, 1, 1]), equity, breached)
    # Ten units must stay behind a position worth a thousand, and what is left is what its account had.
    assert equity.tolist() == list(range(many))
    assert breached.tolist() == [1] * 10 + [0] * (many - 10)
