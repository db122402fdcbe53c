"""Do the chains of a season's entries hold link by link, and do its days' roots follow from them?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np

from bitnerve.domain.ledger import chain
from bitnerve.domain.ledger.canonical import cell_text
from bitnerve.domain.ledger.difference import BrokenBooks, differ
from bitnerve.domain.ledger.season import ForeignSeason
from bitnerve.domain.ledger.tables import Books, Column, Table, row_count
from bitnerve.domain.timeframe import DAY_MS, instant_text

_FIGURES = ("cash", "unrealized_pnl", "equity", "margin_used", "maintenance_margin")
_EPOCH = date(1970, 1, 1)


def check_chains(books: Books, *, capital: int, season: str) -> None:
    """Recompute every link of every entry, from its version and capital to its newest; raise `BrokenBooks`."""
    tables = books.tables
    _check_same_rows(tables, "links", "equity", "at")
    _check_same_rows(tables, "arrivals", "decisions", "tick_at")
    points, decisions = _rows_of(tables["equity"]), _rows_of(tables["decisions"])
    heads = _rows_of(tables["accounts"])
    for agent in books.season["agents"]:
        name = agent["name"]
        version = check_version(agent)
        link = chain.begin_chain(season=season, entry=name, version_sha256=version, capital=capital)
        own = [(int(tables["equity"]["at"].values[row]), 0, row) for row in points.get(name, ())]
        own += [(int(tables["decisions"]["tick_at"].values[row]), 1, row) for row in decisions.get(name, ())]
        for at, kind, row in sorted(own):
            link = _link_decision(tables, link, row) if kind else _link_point(tables, link, at, row)
            table = "arrivals" if kind else "links"
            if _text(tables[table]["chain_sha256"], row) != link:
                raise differ(tables, table, row, "chain_sha256", link)
        for row in heads.get(name, ()):
            if _text(tables["accounts"]["chain_sha256"], row) != link:
                raise differ(tables, "accounts", row, "chain_sha256", link)


def check_version(agent: Mapping[str, Any]) -> str:
    """Return the hash of what decides for an agent, recomputed; raise `BrokenBooks` where another one is stored."""
    version = agent.get("version")
    if not isinstance(version, Mapping):
        raise ForeignSeason("season.json: an agent has no version", field="version")
    made = chain.version_sha256(
        brain=version.get("brain", ""), strategy=agent.get("strategy", ""), parameters=agent.get("parameters", {})
    )
    if version.get("sha256") != made:
        raise BrokenBooks(
            file="season.json",
            where={"agent": str(agent.get("name"))},
            field="version",
            stored=str(version.get("sha256")),
            recomputed=made,
        )
    return made


def _link_point(tables: Mapping[str, Table], link: str, at: int, row: int) -> str:
    figures = [int(tables["equity"][name].values[row]) for name in _FIGURES]
    return chain.link_equity(link, at_ms=at, figures=figures)


def _link_decision(tables: Mapping[str, Table], link: str, row: int) -> str:
    said, arrival = tables["decisions"], tables["arrivals"]
    confidence = said["confidence"]
    stated = confidence.present is None or bool(confidence.present[row])
    return chain.link_decision(
        link,
        tick_at_ms=int(said["tick_at"].values[row]),
        arrived_at_ms=int(arrival["arrived_at"].values[row]),
        snapshot_sha256=_text(said["snapshot_sha256"], row),
        state=_text(arrival["state"], row),
        action=_text(said["action"], row),
        confidence=int(confidence.values[row]) if stated else None,
        reason=_text(said["reason"], row),
        orders=read_orders(tables, row),
        verdict=_text(said["verdict"], row),
    )


def read_orders(tables: Mapping[str, Table], row: int) -> list[Any]:
    """Return the orders that a decision asked for; raise `BrokenBooks` for what is no list of them."""
    text = _text(tables["arrivals"]["orders"], row)
    try:
        orders = json.loads(text)
    except ValueError:
        orders = None
    if not isinstance(orders, list) or not all(isinstance(one, dict) for one in orders):
        raise differ(tables, "arrivals", row, "orders", "a list of objects")
    return orders


def _check_same_rows(tables: Mapping[str, Table], name: str, like: str, field: str) -> None:
    """Every row has its partner in another table, in the same order."""
    count = min(row_count(tables[name]), row_count(tables[like]))
    for row in range(count):
        for key in ("agent", field):
            wanted = cell_text(tables[like][key], row)
            if cell_text(tables[name][key], row) != wanted:
                raise differ(tables, name, row, key, wanted.strip('"'))
    if row_count(tables[name]) != row_count(tables[like]):
        raise BrokenBooks(
            file=f"{name}.parquet",
            where={},
            field="rows",
            stored=str(row_count(tables[name])),
            recomputed=str(row_count(tables[like])),
        )


def check_roots(books: Books, *, starts_at: int, ends_at: int, settled_at: int) -> None:
    """Recompute the root of every day from the links at its end; raise `BrokenBooks` for the first that differs.

    `settled_at` is an instant by which everybody's marks, and so every root of a day that ended before, are kept.
    """
    tables, roots = books.tables, books.tables["roots"]
    links = _links_at(tables)
    previous = ""
    day = starts_at // DAY_MS
    for row in range(row_count(roots)):
        end = min((day + 1) * DAY_MS, ends_at)
        text = day_text(day)
        if _text(roots["day"], row) != text:
            raise differ(tables, "roots", row, "day", text)
        if int(roots["at"].values[row]) != end:
            raise differ(tables, "roots", row, "at", instant_text(end))
        own = links.get(end, {})
        if int(roots["entry_count"].values[row]) != len(own):
            raise differ(tables, "roots", row, "entry_count", str(len(own)))
        if _text(roots["previous_sha256"], row) != previous:
            raise differ(tables, "roots", row, "previous_sha256", previous or "null")
        previous = chain.day_root(previous, day=text, links=own)
        if _text(roots["root_sha256"], row) != previous:
            raise differ(tables, "roots", row, "root_sha256", previous)
        day += 1
    if min((day + 1) * DAY_MS, ends_at) <= settled_at and day * DAY_MS < ends_at:
        raise BrokenBooks(
            file="roots.parquet",
            where={"day": day_text(day)},
            field="row",
            stored="missing",
            recomputed="the day has ended",
        )


def day_text(day: int) -> str:
    """Return a day, counted from the epoch, as `YYYY-MM-DD`."""
    return (_EPOCH + timedelta(days=day)).isoformat()


def _links_at(tables: Mapping[str, Table]) -> dict[int, dict[str, str]]:
    table = tables["links"]
    found: dict[int, dict[str, str]] = {}
    for row, at in enumerate(table["at"].values.tolist()):
        found.setdefault(at, {})[_text(table["agent"], row)] = _text(table["chain_sha256"], row)
    return found


def _rows_of(table: Table) -> dict[str, list[int]]:
    """Return the rows of every agent."""
    column = table["agent"]
    words = list(column.words)
    return {
        words[code]: np.flatnonzero(column.values == code).tolist()
        for code in np.unique(column.values).astype(int).tolist()
    }


def _text(column: Column, row: int) -> str:
    """Return a text, an empty one for null."""
    if column.present is not None and not column.present[row]:
        return ""
    return str(column.words[int(column.values[row])])
