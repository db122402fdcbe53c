"""What happens to one account inside one bar?

A bar says four prices and not their order. The path through them is fixed and pessimistic: every position meets its
adverse extreme first, all at once. Between two checkpoints all prices run on one λ in [0, 1], straight lines; the next
event is the one with the smallest exact λ, and after it the rest of the way is looked at anew.
"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import DOWN, UP, mul_div, wide_divide, wide_less, wide_product
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import any_reached, is_safe, set_bands
from bitnerve.domain.trading.fills import end_order, put_on_list
from bitnerve.domain.trading.liquidation import (
    CROSS,
    has_unit,
    liquidate,
    liquidate_breached,
    unit_fine,
)
from bitnerve.domain.trading.margin import FINE
from bitnerve.domain.trading.matching import execute, expire_if_spent
from bitnerve.domain.units import rate_floor

# The bars of a market as kernels read them: [row, bar, symbol], because a quiet bar is asked for two of the rows only.
OPEN, HIGH, LOW, CLOSE, VOLUME, QUOTE_VOLUME, MARK_OPEN, MARK_HIGH, MARK_LOW, MARK_CLOSE = range(10)
BAR_ROWS = 10
"""With a mark path; without one the first six will do."""


@inner
def mark_rows(exchange: Exchange) -> int:
    """Return the row from which the four prices of the mark path stand: the candles' own where marks have none."""
    return MARK_OPEN if exchange.has_mark else OPEN


@inner
def keeps_to_bands(exchange: Exchange, bars: Any, a: int, bar: int) -> bool:
    """Return whether all marks of a bar stay within the bands in which no breach is possible."""
    marks = mark_rows(exchange)
    alerts = exchange.alerts[a]
    return exchange.accounts[a, account.BANDED] == 1 and not any_reached(
        bars[marks + LOW, bar], bars[marks + HIGH, bar], alerts[positions.BAND_LOW], alerts[positions.BAND_HIGH]
    )


@inner
def knows_safe(exchange: Exchange, bars: Any, a: int, bar: int) -> bool:
    """Return whether no breach is possible in the bar; found out once after every change of the account."""
    if exchange.prices[account.STATE, 0] == account.UNKNOWN:
        exchange.prices[account.STATE, 0] = account.SAFE if find_safe(exchange, bars, a, bar) else account.UNSAFE
    return exchange.prices[account.STATE, 0] == account.SAFE


@inner
def find_safe(exchange: Exchange, bars: Any, a: int, bar: int) -> bool:
    """Find out whether no breach is possible in the bar, and if one is, which symbols trade in it."""
    marks = mark_rows(exchange)
    if exchange.accounts[a, account.BANDED] == 0:
        # Bands answer for this bar and for those to come; the filter for one bar is the second choice.
        set_bands(exchange, a, bars[marks + OPEN, bar])
    if keeps_to_bands(exchange, bars, a, bar):
        return True
    if is_safe(exchange, a, bars[marks + LOW, bar], bars[marks + HIGH, bar]):
        return True
    # Who may be liquidated: a question that is not worth the reading of a row as long as nobody is.
    find_live(bars[VOLUME, bar], exchange.prices[account.LIVE])
    return False


@inner
def is_quiet(exchange: Exchange, bars: Any, a: int, bar: int) -> bool:
    """Return True when nothing at all can happen to the account in this bar: the common case, decided quickly."""
    alerts = exchange.alerts[a]
    if any_reached(bars[LOW, bar], bars[HIGH, bar], alerts[positions.ORDER_LOW], alerts[positions.ORDER_HIGH]):
        return False
    if keeps_to_bands(exchange, bars, a, bar):
        return True
    if knows_safe(exchange, bars, a, bar):
        set_bands(exchange, a, bars[mark_rows(exchange) + CLOSE, bar])
        return True
    return False


@inner
def play_bar(exchange: Exchange, bars: Any, a: int, bar: int, at: int) -> None:
    """Play one bar, which opens at `at`, for one account: section 3 of the rules from the open to the close.

    Only the symbols walk whose prices can matter: those whose orders the bar could meet, and all with a position
    when a breach or an opening inside the bar is possible.
    """
    exchange.prices[account.STATE, 0] = account.UNKNOWN
    if is_quiet(exchange, bars, a, bar):
        return
    begin_bar(exchange, bars, a, bar)
    play_open(exchange, bars, a, bar, at)
    if not knows_safe(exchange, bars, a, bar) or meets_inside(exchange, bars, bar):
        choose_walkers(exchange, bars, a, bar)
        depths = bars[QUOTE_VOLUME, bar]
        for segment in range(3):
            play_segment(exchange, bars, a, segment, depths, bar, at)
    end_bar(exchange, a)
    if exchange.accounts[a, account.BANDED] == 0:
        set_bands(exchange, a, bars[mark_rows(exchange) + CLOSE, bar])


@inner
def copy_row(source: Any, target: Any) -> None:
    """Copy a row [symbol] to the beginning of another."""
    for symbol in range(source.shape[0]):
        target[symbol] = source[symbol]


@inner
def find_live(volume: Any, live: Any) -> None:
    """Write 1 for every symbol that trades in a bar, else 0; all rows [symbol]."""
    for symbol in range(volume.shape[0]):
        live[symbol] = 1 if volume[symbol] > 0 else 0


@inner
def find_loud(low: Any, high: Any, floor: Any, ceiling: Any, loud: Any) -> None:
    """Write 1 for every symbol whose range reaches its floor or its ceiling, else 0; made for vector units."""
    for symbol in range(floor.shape[0]):
        loud[symbol] = 1 if (low[symbol] <= floor[symbol]) | (high[symbol] >= ceiling[symbol]) else 0


@inner
def silence(row: Any, loud: Any, alert: int) -> None:
    """Set a row of alerts to one that nothing reaches where a symbol is loud; made for vector units."""
    for symbol in range(row.shape[0]):
        row[symbol] = alert if loud[symbol] == 1 else row[symbol]


@inner
def begin_bar(exchange: Exchange, bars: Any, a: int, bar: int) -> None:
    """Stand at the opens, with an unused volume cap, and put the orders that the bar could meet on the agenda."""
    prices = exchange.prices
    alerts = exchange.alerts[a]
    loud = prices[account.LOUD]
    copy_row(bars[OPEN, bar], prices[account.LAST])
    copy_row(bars[mark_rows(exchange) + OPEN, bar], prices[account.MARK])
    find_loud(bars[LOW, bar], bars[HIGH, bar], alerts[positions.ORDER_LOW], alerts[positions.ORDER_HIGH], loud)
    exchange.agenda[0] = 0
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        symbol = exchange.orders[row, orders.SYMBOL]
        if loud[symbol] == 0:
            continue
        if bars[VOLUME, bar, symbol] > 0:
            prices[account.LIVE, symbol] = 1
            exchange.positions[a, symbol, positions.CAP_USED] = 0
            put_on_list(exchange.agenda, row)
        else:
            loud[symbol] = 0


@inner
def end_bar(exchange: Exchange, a: int) -> None:
    """Drop ended orders from the working list and set the alerts of what is left."""
    loud = exchange.prices[account.LOUD]
    silence(exchange.alerts[a, positions.ORDER_LOW], loud, positions.NO_LOW)
    silence(exchange.alerts[a, positions.ORDER_HIGH], loud, positions.NO_HIGH)
    kept = 0
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        order = exchange.orders[row]
        if order[orders.STATUS] == orders.WORKING:
            exchange.working[a, kept] = row
            kept += 1
            if loud[order[orders.SYMBOL]] == 1:
                orders.alert(exchange.alerts[a], order, exchange.has_mark)
    exchange.accounts[a, account.WORKING_COUNT] = kept


@inner
def trigger_price(exchange: Exchange, order: Any) -> int:
    """Return the price that an order's trigger looks at, where the account stands now."""
    symbol = order[orders.SYMBOL]
    by_mark = order[orders.TRIGGER_BY] == orders.MARK
    return exchange.prices[account.MARK, symbol] if by_mark else exchange.prices[account.LAST, symbol]


@inner
def is_passed(exchange: Exchange, order: Any) -> bool:
    """Return whether a waiting trigger's level is reached where the account stands now."""
    falling = orders.fires_falling(order[orders.TYPE], order[orders.SIDE])
    return orders.is_reached(trigger_price(exchange, order), order[orders.TRIGGER_PRICE], falling)


@inner
def is_up(exchange: Exchange, order: Any, bar: int) -> bool:
    """Return whether an order may have a turn in this bar: it works, its symbol trades, it had none yet."""
    return (
        order[orders.STATUS] == orders.WORKING
        and exchange.prices[account.LIVE, order[orders.SYMBOL]] == 1
        and order[orders.TRIED_IN] != bar
        and order[orders.ALIVE_FROM] <= bar
    )


@inner
def cap_left(exchange: Exchange, bars: Any, a: int, symbol: int, bar: int) -> int:
    """Return how many lots of a bar's volume the account may still fill."""
    cap = rate_floor(bars[VOLUME, bar, symbol], exchange.rules.volume_cap_rate)
    return cap - exchange.positions[a, symbol, positions.CAP_USED]


@inner
def fire(exchange: Exchange, bars: Any, a: int, row: int, inside: bool, bar: int, at: int) -> None:
    """Let an order have its turn as a taker at the last price where the account stands."""
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    if orders.is_trigger(order[orders.TYPE]):
        order[orders.TRIGGERED] = 1
    execute(
        exchange,
        a,
        row,
        exchange.prices[account.LAST, symbol],
        False,
        cap_left(exchange, bars, a, symbol, bar),
        bars[QUOTE_VOLUME, bar, symbol],
        exchange.rules.half_spread_rate,
        inside,
        bar,
        at,
    )


@inner
def rest(exchange: Exchange, bars: Any, a: int, row: int, inside: bool, bar: int, at: int) -> None:
    """Let a limit order fill as a maker, at its limit."""
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    limit = order[orders.LIMIT_PRICE]
    room = cap_left(exchange, bars, a, symbol, bar)
    execute(exchange, a, row, limit, True, room, 0, 0, inside, bar, at)


@inner
def take_turn_at_open(exchange: Exchange, bars: Any, a: int, row: int, bar: int, at: int) -> None:
    """Let an order that is not a waiting trigger meet the open: markets take it, limits where it is good enough."""
    order = exchange.orders[row]
    if order[orders.TYPE] != orders.LIMIT:
        fire(exchange, bars, a, row, False, bar, at)
        return
    opened = exchange.prices[account.LAST, order[orders.SYMBOL]]
    limit = order[orders.LIMIT_PRICE]
    better = opened < limit if order[orders.SIDE] > 0 else opened > limit
    if order[orders.TIME_IN_FORCE] == orders.POST_ONLY:
        if better:
            rest(exchange, bars, a, row, False, bar, at)
    elif better or opened == limit:
        fire(exchange, bars, a, row, False, bar, at)
    elif order[orders.TIME_IN_FORCE] == orders.FOK:
        end_order(exchange, row, orders.REJECTED, orders.FOK_UNFILLED, at)
    elif order[orders.TIME_IN_FORCE] == orders.IOC:
        expire_if_spent(exchange, row, at)


@inner
def waits(order: Any) -> bool:
    """Return whether an order is a trigger that has not fired."""
    return orders.is_trigger(order[orders.TYPE]) and order[orders.TRIGGERED] == 0


@inner
def play_open(exchange: Exchange, bars: Any, a: int, bar: int, at: int) -> None:
    """Play the open: reduce-only orders, the liquidation test, opening orders, protection born past its level."""
    resting = exchange.agenda[0]
    for stage in range(3):
        for k in range(1, resting + 1):
            row = exchange.agenda[k]
            order = exchange.orders[row]
            if order[orders.REDUCE_ONLY] == 0 or not is_up(exchange, order, bar):
                continue
            if not waits(order):
                if stage == 2:
                    take_turn_at_open(exchange, bars, a, row, bar, at)
            elif stage == (1 if order[orders.TYPE] == orders.TAKE_PROFIT_MARKET else 0) and is_passed(exchange, order):
                fire(exchange, bars, a, row, False, bar, at)
    if not knows_safe(exchange, bars, a, bar):
        liquidate_breached(exchange, a, bars[QUOTE_VOLUME, bar], exchange.rules.half_spread_rate, bar, at)
    for k in range(1, resting + 1):
        row = exchange.agenda[k]
        order = exchange.orders[row]
        if order[orders.REDUCE_ONLY] == 1 or not is_up(exchange, order, bar):
            continue
        if not waits(order):
            take_turn_at_open(exchange, bars, a, row, bar, at)
        elif is_passed(exchange, order):
            fire(exchange, bars, a, row, False, bar, at)
    for stage in range(2):
        for k in range(resting + 1, exchange.agenda[0] + 1):
            row = exchange.agenda[k]
            order = exchange.orders[row]
            is_target = order[orders.TYPE] == orders.TAKE_PROFIT_MARKET
            if is_up(exchange, order, bar) and is_target == (stage == 1) and is_passed(exchange, order):
                fire(exchange, bars, a, row, False, bar, at)


@inner
def rises_first(exchange: Exchange, a: int, symbol: int) -> bool:
    """Return whether the path of a symbol goes to its high first: the adverse side, or toward a resting buy stop."""
    quantity = exchange.positions[a, symbol, positions.QUANTITY]
    if quantity != 0:
        return quantity < 0
    for k in range(1, exchange.agenda[0] + 1):
        order = exchange.orders[exchange.agenda[k]]
        if (
            order[orders.SYMBOL] == symbol
            and order[orders.STATUS] == orders.WORKING
            and order[orders.REDUCE_ONLY] == 0
            and (order[orders.TYPE] == orders.STOP_MARKET or order[orders.TYPE] == orders.TRAILING_STOP)
            and order[orders.SIDE] > 0
            and order[orders.TRIGGERED] == 0
        ):
            return True
    return False


@inner
def choose_path(exchange: Exchange, bars: Any, a: int, bar: int, symbol: int) -> None:
    """Fix the checkpoints of a symbol and let it walk; the choice stays for the bar."""
    marks = mark_rows(exchange)
    prices = exchange.prices
    prices[account.WALKS, symbol] = 1
    put_on_list(prices[account.WALKERS], symbol)
    # A symbol that stands still has one price: its row of the bars is flat.
    upward = rises_first(exchange, a, symbol)
    first = HIGH if upward else LOW
    second = LOW if upward else HIGH
    prices[account.TARGET_LAST, symbol] = bars[first, bar, symbol]
    prices[account.TARGET_LAST + 1, symbol] = bars[second, bar, symbol]
    prices[account.TARGET_LAST + 2, symbol] = bars[CLOSE, bar, symbol]
    prices[account.TARGET_MARK, symbol] = bars[marks + first, bar, symbol]
    prices[account.TARGET_MARK + 1, symbol] = bars[marks + second, bar, symbol]
    prices[account.TARGET_MARK + 2, symbol] = bars[marks + CLOSE, bar, symbol]


@inner
def may_open_inside(exchange: Exchange) -> bool:
    """Return whether an order on the agenda could open a position inside the bar, at prices that must be known."""
    for k in range(1, exchange.agenda[0] + 1):
        order = exchange.orders[exchange.agenda[k]]
        if (
            order[orders.REDUCE_ONLY] == 0
            and order[orders.STATUS] == orders.WORKING
            and (order[orders.TYPE] == orders.LIMIT or waits(order))
        ):
            return True
    return False


@inner
def meets_inside(exchange: Exchange, bars: Any, bar: int) -> bool:
    """Return whether the path of the bar could meet an order that is still on the agenda after the open."""
    for k in range(1, exchange.agenda[0] + 1):
        order = exchange.orders[exchange.agenda[k]]
        symbol = order[orders.SYMBOL]
        if order[orders.STATUS] != orders.WORKING:
            continue
        if order[orders.TYPE] == orders.LIMIT:
            falling = order[orders.SIDE] > 0
            level = order[orders.LIMIT_PRICE]
        elif waits(order):
            falling = orders.fires_falling(order[orders.TYPE], order[orders.SIDE])
            level = order[orders.TRIGGER_PRICE]
        else:
            continue
        first = mark_rows(exchange) if waits(order) and order[orders.TRIGGER_BY] == orders.MARK else OPEN
        if orders.is_reached(bars[first + (LOW if falling else HIGH), bar, symbol], level, falling):
            return True
    return False


@inner
def choose_walkers(exchange: Exchange, bars: Any, a: int, bar: int) -> None:
    """Let the symbols walk whose prices can matter inside the bar."""
    all_walk = not knows_safe(exchange, bars, a, bar) or may_open_inside(exchange)
    prices = exchange.prices
    prices[account.WALKERS, 0] = 0
    prices[account.WALKS] = 0
    for k in range(1, exchange.agenda[0] + 1):
        symbol = exchange.orders[exchange.agenda[k], orders.SYMBOL]
        if prices[account.WALKS, symbol] == 0:
            choose_path(exchange, bars, a, bar, symbol)
    if all_walk:
        for symbol in range(exchange.positions.shape[1]):
            if prices[account.WALKS, symbol] == 0 and exchange.positions[a, symbol, positions.QUANTITY] != 0:
                choose_path(exchange, bars, a, bar, symbol)


@inner
def let_all_walk(exchange: Exchange, bars: Any, a: int, segment: int, bar: int) -> None:
    """Bring every other symbol with a position to where it would be had it walked from the open on."""
    prices = exchange.prices
    for symbol in range(exchange.positions.shape[1]):
        if prices[account.WALKS, symbol] == 1 or exchange.positions[a, symbol, positions.QUANTITY] == 0:
            continue
        choose_path(exchange, bars, a, bar, symbol)
        if segment > 0:
            prices[account.LAST, symbol] = prices[account.TARGET_LAST + segment - 1, symbol]
            prices[account.MARK, symbol] = prices[account.TARGET_MARK + segment - 1, symbol]
        for step in range(1, prices[account.STEPS, 0] + 1):
            move_price(exchange, a, segment, symbol, prices[account.STEPS, step], prices[account.STEPS + 1, step])


@kernel
def between(start: int, end: int, numerator: int, denominator: int, is_short: bool) -> int:
    """Return the price at λ = numerator ÷ denominator of the way, up for a short, else down."""
    if start == end or numerator == 0:
        return start
    return start + mul_div(end - start, numerator, denominator, UP if is_short else DOWN)


@inner
def move_price(exchange: Exchange, a: int, segment: int, symbol: int, numerator: int, denominator: int) -> None:
    """Move a symbol to λ of what is left of its segment."""
    prices = exchange.prices
    is_short = exchange.positions[a, symbol, positions.QUANTITY] < 0
    target = prices[account.TARGET_LAST + segment, symbol]
    prices[account.LAST, symbol] = between(prices[account.LAST, symbol], target, numerator, denominator, is_short)
    if exchange.has_mark:
        target = prices[account.TARGET_MARK + segment, symbol]
        prices[account.MARK, symbol] = between(prices[account.MARK, symbol], target, numerator, denominator, is_short)
    else:
        prices[account.MARK, symbol] = prices[account.LAST, symbol]


@inner
def move_prices(
    exchange: Exchange, bars: Any, a: int, segment: int, numerator: int, denominator: int, bar: int
) -> None:
    """Move everything that walks to λ of what is left of the segment, and remember the step for who joins later."""
    prices = exchange.prices
    if prices[account.STEPS, 0] == prices.shape[1] - 1:
        let_all_walk(exchange, bars, a, segment, bar)
        prices[account.STEPS, 0] = 0
    prices[account.STEPS, 0] += 1
    prices[account.STEPS, prices[account.STEPS, 0]] = numerator
    prices[account.STEPS + 1, prices[account.STEPS, 0]] = denominator
    for i in range(1, prices[account.WALKERS, 0] + 1):
        move_price(exchange, a, segment, prices[account.WALKERS, i], numerator, denominator)


@inner
def stand_at(exchange: Exchange, symbol: int, price: int, by_mark: bool) -> None:
    """Put an event's own symbol exactly on its level: rounding must not move it off."""
    if by_mark or not exchange.has_mark:
        exchange.prices[account.MARK, symbol] = price
    if not by_mark or not exchange.has_mark:
        exchange.prices[account.LAST, symbol] = price


@inner
def reach(exchange: Exchange, order: Any, segment: int) -> tuple[int, int, bool]:
    """Return (numerator, denominator, reached) of the λ at which the rest of a segment reaches an order.

    A trigger is reached by touch; a limit only when the path trades through it.
    """
    symbol = order[orders.SYMBOL]
    start = exchange.prices[account.LAST, symbol]
    end = exchange.prices[account.TARGET_LAST + segment, symbol]
    if order[orders.TYPE] == orders.LIMIT:
        limit = order[orders.LIMIT_PRICE]
        if order[orders.SIDE] > 0:
            return start - limit, start - end, end < limit <= start
        return limit - start, end - start, start <= limit < end
    if not waits(order):
        return 0, 1, False
    if order[orders.TRIGGER_BY] == orders.MARK:
        start = exchange.prices[account.MARK, symbol]
        end = exchange.prices[account.TARGET_MARK + segment, symbol]
    level = order[orders.TRIGGER_PRICE]
    falling = orders.fires_falling(order[orders.TYPE], order[orders.SIDE])
    if orders.is_reached(start, level, falling):
        return 0, 1, True
    if falling:
        return start - level, start - end, end <= level
    return level - start, end - start, level <= end


@inner
def precedence(order: Any) -> int:
    """Return an order's rank among events at one point: stops that reduce, what else reduces, the rest."""
    if order[orders.REDUCE_ONLY] == 0:
        return 2
    return 1 if order[orders.TYPE] == orders.TAKE_PROFIT_MARKET or order[orders.TYPE] == orders.LIMIT else 0


@inner
def next_order(exchange: Exchange, a: int, segment: int, bar: int) -> tuple[int, int, int]:
    """Return (row, numerator, denominator) of the order that the rest of the segment reaches first, or row -1."""
    best = -1
    rank = 0
    numerator = 0
    denominator = 1
    for k in range(1, exchange.agenda[0] + 1):
        row = exchange.agenda[k]
        order = exchange.orders[row]
        if not is_up(exchange, order, bar):
            continue
        n, d, reached = reach(exchange, order, segment)
        if not reached:
            continue
        if best >= 0:
            mine = wide_product(n, denominator)
            theirs = wide_product(numerator, d)
            if wide_less(theirs, mine) or (not wide_less(mine, theirs) and precedence(order) >= rank):
                continue
        best = row
        rank = precedence(order)
        numerator = n
        denominator = d
    return best, numerator, denominator


@inner
def next_breach(exchange: Exchange, a: int, segment: int) -> tuple[int, int, int, bool]:
    """Return (unit, numerator, denominator, found) of the first breach on the rest of the segment.

    f = balance − maintenance is concave in λ, so a breach between two ends shows at the second, and the straight
    line between them crosses zero no later than f does.
    """
    zero = wide_product(0, 0)
    best = CROSS
    numerator = 0
    denominator = 1
    found = False
    for unit in range(CROSS, exchange.positions.shape[1]):
        if not has_unit(exchange, a, unit):
            continue
        here = unit_fine(exchange, a, unit, exchange.prices[account.MARK])
        n = 0
        d = 1
        if not wide_less(here, zero):
            there = unit_fine(exchange, a, unit, exchange.prices[account.TARGET_MARK + segment])
            if not wide_less(there, zero):
                continue
            n = wide_divide(here, FINE, DOWN)
            d = max(1, n - wide_divide(there, FINE, UP))
        if not found or wide_less(wide_product(n, denominator), wide_product(numerator, d)):
            best = unit
            numerator = n
            denominator = d
            found = True
    return best, numerator, denominator, found


@inner
def play_segment(exchange: Exchange, bars: Any, a: int, segment: int, depths: Any, bar: int, at: int) -> None:
    """Walk from the current prices to the segment's targets, event after event."""
    prices = exchange.prices
    prices[account.STEPS, 0] = 0
    while True:
        row, numerator, denominator = next_order(exchange, a, segment, bar)
        if not knows_safe(exchange, bars, a, bar):
            let_all_walk(exchange, bars, a, segment, bar)
            unit, n, d, found = next_breach(exchange, a, segment)
            if found and (row < 0 or not wide_less(wide_product(numerator, d), wide_product(n, denominator))):
                move_prices(exchange, bars, a, segment, n, d, bar)
                liquidate(exchange, a, unit, depths, exchange.rules.half_spread_rate, bar, at)
                continue
        if row < 0:
            break
        move_prices(exchange, bars, a, segment, numerator, denominator, bar)
        order = exchange.orders[row]
        if order[orders.TYPE] == orders.LIMIT:
            stand_at(exchange, order[orders.SYMBOL], order[orders.LIMIT_PRICE], False)
            rest(exchange, bars, a, row, True, bar, at)
        else:
            if numerator > 0:
                by_mark = order[orders.TRIGGER_BY] == orders.MARK
                stand_at(exchange, order[orders.SYMBOL], order[orders.TRIGGER_PRICE], by_mark)
            fire(exchange, bars, a, row, True, bar, at)
    for i in range(1, prices[account.WALKERS, 0] + 1):
        symbol = prices[account.WALKERS, i]
        prices[account.LAST, symbol] = prices[account.TARGET_LAST + segment, symbol]
        prices[account.MARK, symbol] = prices[account.TARGET_MARK + segment, symbol]
