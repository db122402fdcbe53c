import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain.ledger import postings
from bitnerve.domain.ledger.balances import balances, total

MONEY = st.integers(-(9 * 10**18), 9 * 10**18)


def column(*values):
    return np.array(values, dtype=np.int64)


def make_lines(fills=(), funding=(), transfers=(), capital=100):
    return postings.make_lines(
        capital=capital,
        agent_count=2,
        started_at=0,
        fills=postings.Fills(*(column(*part) for part in (zip(*fills, strict=True) if fills else [()] * 5))),
        funding=postings.Settlements(
            *(column(*part) for part in (zip(*funding, strict=True) if funding else [()] * 4))
        ),
        transfers=postings.Transfers(
            *(column(*part) for part in (zip(*transfers, strict=True) if transfers else [()] * 6))
        ),
    )


def told(lines, skip=4):
    names = ("capital", "cash", "fees", "funding", "insurance", "pnl")
    rows = zip(
        lines.agent.tolist(),
        lines.sequence.tolist(),
        (postings.KINDS[kind] for kind in lines.kind),
        (names[account] for account in lines.account),
        lines.amount.tolist(),
        strict=True,
    )
    return [row for row in rows if row[2] != "START"] if skip else list(rows)


def test_every_account_starts_with_its_capital():
    assert told(make_lines(), skip=0) == [
        (0, 0, "START", "capital", -100),
        (0, 0, "START", "cash", 100),
        (1, 0, "START", "capital", -100),
        (1, 0, "START", "cash", 100),
    ]


def test_a_fill_posts_profit_and_fee_together_under_the_next_number():
    assert told(make_lines(fills=[(1, 6, 0, 50, 2)])) == [
        (1, 7, "FILL", "cash", 48),
        (1, 7, "FILL", "fees", 2),
        (1, 7, "FILL", "pnl", -50),
    ]


def test_what_moves_nothing_has_no_line_and_no_posting():
    lines = make_lines(fills=[(0, 2, 0, 0, 0), (0, 4, 0, 0, 3), (0, 6, 0, 5, 5)], funding=[(0, 8, 0, 0)])
    assert told(lines) == [
        (0, 5, "FILL", "cash", -3),
        (0, 5, "FILL", "fees", 3),
        (0, 7, "FILL", "fees", 5),
        (0, 7, "FILL", "pnl", -5),
    ]


def test_funding_liquidation_fee_and_shortfall():
    lines = make_lines(
        funding=[(0, 1, 0, -4)],
        transfers=[(0, 5, 0, -7, postings.LIQUIDATION_FEE, 0), (0, 6, 0, 9, postings.SHORTFALL, 0)],
    )
    assert told(lines) == [
        (0, 2, "FUNDING", "cash", -4),
        (0, 2, "FUNDING", "funding", 4),
        (0, 5, "LIQUIDATION_FEE", "cash", -7),
        (0, 5, "LIQUIDATION_FEE", "insurance", 7),
        (0, 6, "SHORTFALL", "cash", 9),
        (0, 6, "SHORTFALL", "insurance", -9),
    ]


@given(st.lists(st.tuples(st.integers(0, 4), MONEY)))
def test_balances_are_exact_beyond_64_bits(moves):
    groups, amounts = column(*(group for group, _ in moves)), column(*(amount for _, amount in moves))
    assert balances(groups, amounts, 5) == [sum(amount for own, amount in moves if own == group) for group in range(5)]
    assert total(amounts) == sum(amounts.tolist())


def test_every_posting_of_a_season_sums_to_zero(books):
    table = books.tables["postings"]
    assert set(balances(table["posting_id"].values, table["amount"].values, len(table["posting_id"].words))) == {0}
