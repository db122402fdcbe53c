"""Which symbols does the simulated market list?

A symbol is known by its rank: 0 is Bitcoin, 1 is Ether, all others bear invented names.
"""

from __future__ import annotations

from bitnerve.domain.errors import Refusal

# All come after ETHUSDT in the alphabet, so that Bitcoin and Ether are columns 0 and 1 of every recording.
_HEADS = """
FAL FEN FIR FOL GAR GEL GIN GOR HAL HEX HIL HUM JAR JEN JOL KAL KEM KIR KOR LAM LEN LOR LUM MAR MEX MIR MOL
NAR NEV NOX ORB OST PAL PEX PIN QUO RAL REN RIX SAR SEL SUN TAL TER TOR VAL VEX VIR WEN YAR ZEN ZOR
"""
_TAILS = """
ADO AKO ALTO ANA ARO AVI EKO ELA ERA ESTO IDO IGO INE IRA ITA OBA ODE OLA ONI ORA OVE UMA UNE URA
"""
_STRIDE = 437
"""Shares no factor with the number of names; neighbors in rank then do not sound alike."""


class UnknownSymbol(Refusal):
    """A symbol that the simulated market does not list."""

    code = "UNKNOWN_SYMBOL"


def _invent_names() -> tuple[str, ...]:
    heads, tails = _HEADS.split(), _TAILS.split()
    count = len(heads) * len(tails)
    places = [divmod(number * _STRIDE % count, len(tails)) for number in range(count)]
    return ("BTCUSDT", "ETHUSDT", *(f"{heads[head]}{tails[tail]}USDT" for head, tail in places))


SYMBOLS = _invent_names()
"""All symbols, in order of rank."""
_RANKS = {symbol: rank for rank, symbol in enumerate(SYMBOLS)}


def rank_of(symbol: str) -> int:
    """Return the rank of a symbol, or raise `UnknownSymbol`."""
    if symbol not in _RANKS:
        raise UnknownSymbol(f"{symbol}: the simulated market does not list it", symbol=symbol)
    return _RANKS[symbol]
