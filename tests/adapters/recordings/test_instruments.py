"""Instruments from the venue's files, and from the bars where there are none."""

from decimal import Decimal

import numpy as np
import pytest

from bitnerve.adapters.recordings import filters, inputs, instruments, load_recording, tiers
from bitnerve.domain.units import SCALE
from tests.adapters.recordings import samples


@pytest.fixture
def load(tmp_path):
    """Load candles with these filters and tiers, and return the first instrument."""
    candles = samples.write(tmp_path, "candles.parquet", samples.candles())

    def load_with(**frames):
        paths = {role: samples.write(tmp_path, f"{role}.parquet", frame) for role, frame in frames.items()}
        return load_recording(candles=[candles], **paths).instruments[0]

    return load_with


def test_filters_and_tiers_are_taken_as_they_are(load):
    instrument = load(filters=samples.filters(), tiers=samples.tiers())

    assert instrument.tick_size == SCALE // 10
    assert (instrument.lot_numerator, instrument.lot_denominator) == (1, 1000)
    assert (instrument.min_quantity, instrument.min_notional) == (1, 5 * SCALE)
    assert (instrument.maker_fee_rate, instrument.taker_fee_rate) == (20_000, 55_000)
    assert [tier.notional_until for tier in instrument.tiers] == [50_000 * SCALE, None]
    assert [tier.maintenance_rate for tier in instrument.tiers] == [400_000, 500_000]
    assert [tier.deduction for tier in instrument.tiers] == [0, 50 * SCALE]
    assert [tier.leverage_max for tier in instrument.tiers] == [125, 100]
    assert not instrument.inferred


def test_filters_of_bybit_are_normalized(load):
    frame = samples.filters().rename(columns={"min_qty": "min_order_qty", "min_notional": "min_notional_value"})

    assert load(filters=frame) == load(filters=samples.filters())


def test_fees_of_the_file_go_before_the_defaults(load):
    instrument = load(filters=samples.filters(maker_fee_rate=-0.0001, taker_fee_rate=0.0004))

    assert (instrument.maker_fee_rate, instrument.taker_fee_rate) == (-10_000, 40_000)


def test_grids_are_inferred_from_the_bars_without_filters(tmp_path):
    frame = samples.candles(volume=[1.25, 2.0, 3.5, 4.0])
    instrument = load_recording(candles=[samples.write(tmp_path, "c.parquet", frame)]).instruments[0]

    assert instrument.tick_size == SCALE // 10
    assert instrument.lot_size == Decimal("0.01")
    assert (instrument.min_quantity, instrument.min_notional) == (1, 5 * SCALE)
    assert len(instrument.tiers) == 1
    assert instrument.tiers[0].notional_until is None
    assert (instrument.tiers[0].maintenance_rate, instrument.tiers[0].leverage_max) == (2_500_000, 10)
    assert instrument.inferred


def test_an_inferred_lot_is_coarse_enough_for_tick_times_lot(tmp_path):
    frame = samples.candles(count=1, open=100.000001, volume=0.12345)
    instrument = load_recording(candles=[samples.write(tmp_path, "c.parquet", frame)]).instruments[0]

    assert instrument.tick_size == 100
    assert instrument.lot_size == Decimal("0.01")


@pytest.mark.parametrize("role", ["filters", "tiers"])
def test_an_instrument_is_inferred_when_either_file_is_missing(load, role):
    frames = {"filters": samples.filters(), "tiers": samples.tiers()}

    assert load(**{role: frames[role]}).inferred


def test_a_symbol_that_a_file_lacks_is_refused_by_name(load):
    with pytest.raises(inputs.UnknownSymbol, match=r"^filters\.parquet: has no 'BTCUSDT'; nearest: BTCUSDC"):
        load(filters=samples.filters("BTCUSDC"))
    with pytest.raises(inputs.UnknownSymbol, match=r"^tiers\.parquet: has no 'BTCUSDT'; nearest: BTCUSDC"):
        load(tiers=samples.tiers("BTC/USDC:USDC"))


def test_dated_contracts_and_those_settled_otherwise_are_left_out():
    names = ["BTC/USDT:USDT", "BTC/USDT:USDT-250627", "BTC/USD:BTC", "ETH/BTC:BTC", "1000SHIB/USDT:USDT"]

    assert tiers.names_by_symbol(names) == {
        "BTCUSDT": "BTC/USDT:USDT",
        "ETHBTC": "ETH/BTC:BTC",
        "1000SHIBUSDT": "1000SHIB/USDT:USDT",
    }


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"tick_size": np.nan}, filters.UnfitFilter, "tick_size must be finite and above 0; found tick_size nan"),
        ({"qty_step": 0.0}, filters.UnfitFilter, "qty_step must be finite and above 0; found qty_step 0.0"),
        ({"min_qty": -1.0}, filters.UnfitFilter, "min_qty must be finite and at least 0; found min_qty -1.0"),
        ({"min_notional": np.nan}, filters.UnfitFilter, "min_notional must be finite and at least 0"),
        ({"taker_fee_rate": 1.5}, filters.UnfitFilter, r"taker_fee_rate must lie in \[-1, 1\]"),
        ({"tick_size": 1e-9}, instruments.UnfitGrid, "tick_size: 1E-9 has more than 8 decimals"),
        ({"tick_size": 1e-6}, instruments.UnfitGrid, "tick_size 0.000001 times lot_size 0.001 is not a whole number"),
        ({"qty_step": 1e10}, instruments.UnfitGrid, "lot_size 10000000000.0 must lie in"),
        ({"min_qty": 1e30}, instruments.UnfitGrid, "min_quantity .* does not fit"),
    ],
)
def test_unfit_filters_are_refused(load, values, error, said):
    with pytest.raises(error, match=r"^filters\.parquet: row 0 \(BTCUSDT\): .*" + said):
        load(filters=samples.filters(**values))


def test_a_symbol_described_twice_is_refused(load):
    with pytest.raises(filters.DuplicateFilter, match=r"^filters\.parquet: row 1 \(BTCUSDT\): stands in row 0 already"):
        load(filters=samples.joined(samples.filters(), samples.filters()))


@pytest.mark.parametrize(
    ("columns", "error", "said"),
    [
        ({"tier": [2, 1]}, tiers.FallingTiers, "row 1 .*tier must rise.*found previous 2.0, tier 1.0"),
        ({"max_notional": [5e4, 5e4]}, tiers.FallingTiers, "row 1 .*max_notional must rise"),
        ({"max_notional": [np.nan, 5e4]}, tiers.FallingTiers, "row 1 .*max_notional must rise.*previous inf"),
        ({"max_notional": [np.nan, np.nan]}, tiers.FallingTiers, "row 1 .*max_notional must rise"),
        ({"maintenance_margin_rate": [0.01, 0.005]}, tiers.FallingTiers, "row 1 .*maintenance_margin_rate must not"),
        ({"maintenance_margin_rate": [0.01, 1.0]}, tiers.UnfitTier, r"row 1 .*maintenance_margin_rate must lie in"),
        ({"maint_amount_cum": [0.0, -1.0]}, tiers.UnfitTier, "row 1 .*maint_amount_cum must be .*found.* -1.0"),
        ({"max_leverage": [0.5, 0.5]}, tiers.UnfitTier, r"row 0 .*max_leverage must lie in \[1, 1000\]"),
        ({"max_notional": [-1.0, 5e4]}, tiers.UnfitTier, "row 0 .*max_notional must be above 0"),
    ],
)
def test_unfit_tiers_are_refused(load, columns, error, said):
    with pytest.raises(error, match=r"^tiers\.parquet: " + said):
        load(tiers=samples.tiers(**columns))


def test_a_bound_beyond_any_money_is_no_bound(load):
    instrument = load(tiers=samples.tiers(max_notional=[50_000.0, float(2**63)]))

    assert instrument.tiers[-1].notional_until is None
