"""Which lines does every movement of money become, so that each posting sums to zero?

One posting per cause; its lines stand in the order of their accounts' names. A line of zero is left out, and a
posting that moves nothing is none.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[Any]

START, FILL, FUNDING, LIQUIDATION_FEE, SHORTFALL = range(5)
KINDS = ("START", "FILL", "FUNDING", "LIQUIDATION_FEE", "SHORTFALL")

# Accounts in the order of their names, which is the order of the lines.
CAPITAL, CASH, FEES, FUNDING_ACCOUNT, INSURANCE, PNL = range(6)
_SEASON_ACCOUNTS = {
    CAPITAL: "capital",
    FEES: "fees",
    FUNDING_ACCOUNT: "funding",
    INSURANCE: "insurance",
    PNL: "pnl",
}


class Fills(NamedTuple):
    """What fills move, one row each; times in milliseconds, money in units."""

    agent: Integers
    sequence: Integers
    at: Integers
    realized: Integers
    fee: Integers


class Settlements(NamedTuple):
    """What funding moves; the amount of an unknown rate is 0."""

    agent: Integers
    sequence: Integers
    at: Integers
    amount: Integers


class Transfers(NamedTuple):
    """What the insurance account takes (below zero) or gives; a transfer is nothing but its posting."""

    agent: Integers
    sequence: Integers
    at: Integers
    amount: Integers
    kind: Integers
    fill: Integers
    """The row of the fill that caused it."""


class Lines(NamedTuple):
    """Lines of postings in order of agent, sequence, account."""

    agent: Integers
    sequence: Integers
    at: Integers
    kind: Integers
    cause: Integers
    """The row of the fill or settlement that caused it; of a START the agent."""
    account: Integers
    amount: Integers


def account_names(*, entries: tuple[str, ...], season: str) -> list[str]:
    """Return the names of accounts as `account_codes` numbers them: those of the season, then each entry's cash."""
    names = ["" if code == CASH else f"{_SEASON_ACCOUNTS[code]}:{season}" for code in range(6)]
    return names + [f"cash:{entry}" for entry in entries]


def account_codes(lines: Lines) -> Integers:
    """Return the index into `account_names` of every line."""
    return np.where(lines.account == CASH, 6 + lines.agent, lines.account)


def make_lines(
    *, capital: int, agent_count: int, started_at: int, fills: Fills, funding: Settlements, transfers: Transfers
) -> Lines:
    """Return the lines of all postings of a season.

    Each account starts at `started_at` with number 0; a fill and a settlement have posted under the number after
    their own.
    """
    agents = np.arange(agent_count)
    nothing = np.zeros(agent_count, dtype=np.int64)
    start = (agents, nothing, nothing + started_at, nothing + START, agents)
    rows = np.arange(len(fills.agent))
    filled = (fills.agent, fills.sequence + 1, fills.at, np.full(len(rows), FILL), rows)
    rows = np.arange(len(funding.agent))
    funded = (funding.agent, funding.sequence + 1, funding.at, np.full(len(rows), FUNDING), rows)
    moved = (transfers.agent, transfers.sequence, transfers.at, transfers.kind, transfers.fill)
    parts = [
        (start, CAPITAL, nothing - capital),
        (start, CASH, nothing + capital),
        (filled, CASH, fills.realized - fills.fee),
        (filled, FEES, fills.fee),
        (filled, PNL, -fills.realized),
        (funded, CASH, funding.amount),
        (funded, FUNDING_ACCOUNT, -funding.amount),
        (moved, CASH, transfers.amount),
        (moved, INSURANCE, -transfers.amount),
    ]
    columns = [np.concatenate([head[number] for head, _, _ in parts]).astype(np.int64) for number in range(5)]
    account = np.concatenate([np.full(len(amount), code) for _, code, amount in parts])
    amount = np.concatenate([amount for _, _, amount in parts]).astype(np.int64)
    kept = np.flatnonzero(amount)
    order = kept[np.lexsort((account[kept], columns[1][kept], columns[0][kept]))]
    return Lines(*(column[order] for column in [*columns, account, amount]))
