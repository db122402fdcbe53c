"""How long does vectorbt take for the moving-average rule? Run by its own interpreter, it imports nothing of ours.

Arguments: FILE FAST SLOW STOP FEE SLIPPAGE. The file holds closes [bar, symbol]; prints the wall seconds of the fastest
run.
"""

import sys
import time

import numpy as np
import pandas as pd
import vectorbt as vbt


def portfolio(close: pd.DataFrame, fast: int, slow: int, stop: float, fee: float, slippage: float) -> float:
    """Return what the rule earned, so that nothing can be left uncomputed."""
    quick = vbt.MA.run(close, fast, short_name="fast")
    steady = vbt.MA.run(close, slow, short_name="slow")
    traded = vbt.Portfolio.from_signals(
        close,
        quick.ma_crossed_above(steady).to_numpy(),
        quick.ma_crossed_below(steady).to_numpy(),
        size=1000.0,
        size_type="value",
        sl_stop=stop,
        fees=fee,
        slippage=slippage,
        init_cash=1_000_000.0,
        freq="5min",
    )
    return float(traded.final_value().sum())


def main() -> None:
    """Measure twice, after one small run that compiles."""
    close = pd.DataFrame(np.load(sys.argv[1]))
    fast, slow = int(sys.argv[2]), int(sys.argv[3])
    rates = [float(word) for word in sys.argv[4:7]]
    portfolio(close.iloc[: 3 * slow, :2], fast, slow, *rates)
    seconds = []
    for _ in range(2):
        start = time.perf_counter()
        portfolio(close, fast, slow, *rates)
        seconds.append(time.perf_counter() - start)
    print(min(seconds))


if __name__ == "__main__":
    main()
