"""Which of the orders that an agent wants may go to the venue, and at what size?

The one door to an order, for every origin (rule D4). Orders that only reduce risk pass, if the venue can write them
down; everything else meets each rule in turn. A rule answers with the quantity that it allows: all of it, less (a
trim), or nothing (a refusal).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bitnerve.domain.arithmetic import DOWN, UP
from bitnerve.domain.decisions.decision import CancelRequest, Decision, OrderRequest
from bitnerve.domain.kernel import INT64_MAX
from bitnerve.domain.market.instrument import Instrument
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.units import SCALE, decimal_text

TRIMMED = "TRIMMED"
REFUSED = "REFUSED"


@dataclass(frozen=True, slots=True)
class SymbolState:
    """What the governor must know of one symbol: instrument, prices (units), position (lots) and freshness."""

    instrument: Instrument
    mark: int
    last: int
    previous: int
    """The close one bar before the last, 0 where there is none."""
    bars_silent: int
    """Bars since the last one with a trade."""
    quantity: int
    leverage: int
    resting_lots: int
    """Lots of resting orders that could open or add."""
    flaw: str = ""
    """What is wrong with what was seen of the symbol, in a word."""


@dataclass(frozen=True, slots=True)
class AccountState:
    """What the governor must know of the account, in money units."""

    equity: int
    available: int
    equity_peak: int
    equity_at_midnight: int


@dataclass(frozen=True, slots=True)
class Ruling:
    """What a rule changed about one order of a decision: `asked` and `allowed` are decimal text or names."""

    order: int
    outcome: str
    rule: str
    asked: str
    allowed: str


@dataclass(frozen=True, slots=True)
class Review:
    """The orders that may go on, each with its place in the decision, and every ruling on the way."""

    orders: tuple[tuple[int, OrderRequest | CancelRequest], ...]
    rulings: tuple[Ruling, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """One opening order before the bench."""

    order: OrderRequest
    symbol: SymbolState
    account: AccountState
    available: int
    """Margin that the orders before this one would leave."""
    limits: Limits

    @property
    def price(self) -> int:
        """What the order counts at: its limit, else its trigger, else the mark."""
        return self.order.limit_price or self.order.trigger_price or self.symbol.mark

    @property
    def leverage(self) -> int:
        return self.order.leverage or self.symbol.leverage

    def notional(self, lots: int, price: int, rounding: int = UP) -> int:
        unit = self.symbol.instrument
        return _ratio(lots * unit.lot_numerator, price, unit.lot_denominator, rounding)

    def lots_within(self, notional: int) -> int:
        """Return the lots that a notional buys at the order's price."""
        unit = self.symbol.instrument
        return _ratio(max(0, notional), unit.lot_denominator, self.price * unit.lot_numerator, DOWN)

    @property
    def carried_lots(self) -> int:
        """Lots already on the order's side (below zero on the other), with what rests to be added."""
        return self.order.side * self.symbol.quantity + self.symbol.resting_lots

    @property
    def closing_lots(self) -> int:
        """Lots of the position on the other side that nothing before this order takes away."""
        return min(self.order.quantity, max(0, -self.carried_lots))

    @property
    def cost_rate(self) -> int:
        """What a unit of opened notional needs: its margin, 1 ÷ leverage, and the taker fee."""
        return -(-SCALE // self.leverage) + max(0, self.symbol.instrument.taker_fee_rate)

    @property
    def cost(self) -> int:
        """What the opening part of the order needs of the margin that is left."""
        opening = self.order.quantity - self.closing_lots
        return _ratio(self.notional(opening, self.price), self.cost_rate, SCALE, UP)


Answer = tuple[int, str, str]
"""(lots allowed, asked, allowed)"""


def _ratio(a: int, b: int, c: int, rounding: int) -> int:
    """Return a × b ÷ c, rounded UP or DOWN, of any size: what is asked may be absurd, and is refused, not raised."""
    return -(-a * b // c) if rounding == UP else a * b // c


def _text(units: int) -> str:
    return decimal_text(units)


def _all(case: _Case) -> Answer:
    return case.order.quantity, "", ""


def check_symbol(case: _Case) -> Answer:
    """Allow only symbols on the list."""
    allowed = case.limits.symbols
    if allowed is None or case.order.symbol in allowed:
        return _all(case)
    return 0, case.order.symbol, " ".join(sorted(allowed))


def check_data(case: _Case) -> Answer:
    """Refuse new risk on a price that is missing, stale or absurd."""
    symbol, limits = case.symbol, case.limits
    if symbol.flaw:
        return 0, symbol.flaw, "sound prices"
    if symbol.last <= 0 or symbol.mark <= 0:
        return 0, "no price", "a price"
    if symbol.bars_silent >= limits.stale_bars_max:
        return 0, f"{symbol.bars_silent} bars without a trade", f"fewer than {limits.stale_bars_max}"
    if symbol.previous > 0:
        jump = _ratio(abs(symbol.last - symbol.previous), SCALE, symbol.previous, UP)
        if jump > limits.jump_max:
            return 0, f"jump {_text(jump)}", f"at most {_text(limits.jump_max)}"
    return _all(case)


def _above_floor(case: _Case, start: int, loss_max: int) -> Answer:
    floor = _ratio(start, SCALE - loss_max, SCALE, UP)
    equity = case.account.equity
    return _all(case) if equity > floor else (0, _text(equity), f"above {_text(floor)}")


def check_daily_loss(case: _Case) -> Answer:
    """Refuse new risk once the day's loss reaches its limit."""
    return _above_floor(case, case.account.equity_at_midnight, case.limits.daily_loss_max)


def check_drawdown(case: _Case) -> Answer:
    """Refuse new risk once equity has fallen too far from its peak."""
    return _above_floor(case, case.account.equity_peak, case.limits.drawdown_max)


def check_leverage(case: _Case) -> Answer:
    """Refuse a leverage above the limit or the venue's lowest tier; the venue itself tests the tier of the notional."""
    most = min(case.limits.leverage_max, case.symbol.instrument.tiers[0].leverage_max)
    return _all(case) if 1 <= case.leverage <= most else (0, str(case.leverage), str(most))


def check_price_band(case: _Case) -> Answer:
    """Refuse limit and trigger prices too far from the mark."""
    mark, band = case.symbol.mark, case.limits.price_band
    low = _ratio(mark, SCALE - band, SCALE, UP)
    high = _ratio(mark, SCALE + band, SCALE, DOWN)
    for price in (case.order.limit_price, case.order.trigger_price):
        if price and not low <= price <= high:
            return 0, _text(price), f"{_text(low)} to {_text(high)}"
    return _all(case)


def _within(case: _Case, most: int) -> Answer:
    """Trim an order so that the position with it is worth at most `most`."""
    asked = case.notional(max(0, case.carried_lots + case.order.quantity), case.price)
    room = case.lots_within(most) - case.carried_lots
    return max(0, min(case.order.quantity, room)), _text(asked), _text(most)


def check_notional(case: _Case) -> Answer:
    """Trim to the largest notional of one position."""
    return _within(case, case.limits.notional_max)


def check_symbol_share(case: _Case) -> Answer:
    """Trim to the largest share of equity that one symbol's position may be worth."""
    return _within(case, _ratio(max(0, case.account.equity), case.limits.symbol_share_max, SCALE, DOWN))


def check_margin(case: _Case) -> Answer:
    """Trim what opens to the margin that is left, taker fee included."""
    available = max(0, case.available)
    affordable = case.lots_within(_ratio(available, SCALE, case.cost_rate, DOWN))
    return min(case.order.quantity, case.closing_lots + affordable), _text(case.cost), _text(available)


RULES: tuple[tuple[str, Callable[[_Case], Answer]], ...] = (
    ("SYMBOL_NOT_ALLOWED", check_symbol),
    ("BAD_DATA", check_data),
    ("DAILY_LOSS", check_daily_loss),
    ("DRAWDOWN", check_drawdown),
    ("LEVERAGE", check_leverage),
    ("PRICE_BAND", check_price_band),
    ("NOTIONAL", check_notional),
    ("SYMBOL_SHARE", check_symbol_share),
    ("MARGIN", check_margin),
)
"""In the order in which they speak; the first refusal ends the case, trims add up."""


NUMBERS = (
    "quantity",
    "limit_price",
    "trigger_price",
    "callback_rate",
    "leverage",
    "stop_loss",
    "take_profit",
    "trailing_rate",
)


def check_size(number: int, order: OrderRequest) -> Ruling | None:
    """Refuse an order, even one that only reduces, with a number that the venue could not so much as write down.

    What fits into 64 bits and is still absurd, the venue refuses itself.
    """
    for name in NUMBERS:
        value = getattr(order, name)
        if abs(value) > INT64_MAX:
            return Ruling(number, REFUSED, "TOO_LARGE", f"{name} of {value.bit_length()} bits", "63 bits")
    return None


def review_decision(
    *, decision: Decision, account: AccountState, symbols: dict[str, SymbolState], limits: Limits
) -> Review:
    """Return the orders of a decision that may go to the venue, trimmed where a rule says so, with every ruling.

    Each order sees the margin and the positions that the orders before it in the decision would leave, so that
    several small orders cannot do what one large one may not.
    """
    passed: list[tuple[int, OrderRequest | CancelRequest]] = []
    rulings: list[Ruling] = []
    states = dict(symbols)
    available = account.available
    opening = 0
    for number, request in enumerate(decision.orders):
        state = states.get(request.symbol)
        if state is None:
            rulings.append(Ruling(number, REFUSED, "UNKNOWN_SYMBOL", request.symbol, "a symbol of this market"))
            continue
        if isinstance(request, CancelRequest):
            passed.append((number, request))
            continue
        if request.only_reduces:
            if too_large := check_size(number, request):
                rulings.append(too_large)
            else:
                passed.append((number, request))
            continue
        opening += 1
        if opening > limits.orders_max:
            rulings.append(Ruling(number, REFUSED, "TOO_MANY_ORDERS", str(opening), str(limits.orders_max)))
            continue
        case = _Case(request, state, account, available, limits)
        order, said = _judge(number, case)
        rulings.extend(said)
        if order is None:
            continue
        # After the trims: a quantity of any size has been cut to what is allowed.
        if too_large := check_size(number, order):
            rulings.append(too_large)
            continue
        passed.append((number, order))
        available -= replace(case, order=order).cost
        states[request.symbol] = replace(state, resting_lots=state.resting_lots + order.quantity)
    return Review(orders=tuple(passed), rulings=tuple(rulings))


def _judge(number: int, case: _Case) -> tuple[OrderRequest | None, list[Ruling]]:
    rulings: list[Ruling] = []
    for name, rule in RULES:
        allowed_lots, asked, allowed = rule(case)
        if allowed_lots == case.order.quantity:
            continue
        enough = max(1, case.symbol.instrument.min_quantity)
        if allowed_lots >= enough:
            rulings.append(Ruling(number, TRIMMED, name, asked, allowed))
            case = replace(case, order=replace(case.order, quantity=allowed_lots))
            continue
        rulings.append(Ruling(number, REFUSED, name, asked, allowed))
        return None, rulings
    return case.order, rulings
