"""Which strategies are there, and which agents come with the house?"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from dataclasses import dataclass

from bitnerve.domain import strategies
from bitnerve.domain.errors import Refusal
from bitnerve.domain.strategies.base import Strategy


class UnknownAgent(Refusal):
    """A name that no agent of the roster has."""

    code = "UNKNOWN_AGENT"


@dataclass(frozen=True, slots=True)
class Agent:
    """A named competitor with the strategy that decides for it."""

    name: str
    strategy: Strategy


def list_strategies() -> tuple[type[Strategy], ...]:
    """Return every strategy class in this folder, by name: a new file is found without being listed anywhere."""
    for module in pkgutil.iter_modules(strategies.__path__):
        importlib.import_module(f"{strategies.__name__}.{module.name}")
    found = [one for one in Strategy.__subclasses__() if one.__module__.startswith(strategies.__name__)]
    return tuple(sorted(found, key=lambda one: one.name))


def list_agents() -> tuple[Agent, ...]:
    """Return the roster: every strategy once, or once per risk profile where it has profiles; sorted by name."""
    roster = []
    for kind in list_strategies():
        profiles: dict[str, dict[str, str]] = getattr(kind, "profiles", {})
        for profile, parameters in profiles.items():
            roster.append(Agent(f"{kind.name}-{profile}", kind(parameters)))
        if not profiles:
            roster.append(Agent(kind.name, kind()))
    return tuple(sorted(roster, key=lambda agent: agent.name))


def choose_agents(names: str) -> tuple[Agent, ...]:
    """Return the agents of a comma-separated list, or all of them for `all`; raise `UnknownAgent` with the nearest."""
    roster = {agent.name: agent for agent in list_agents()}
    if names == "all":
        return tuple(roster.values())
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in roster:
            near = difflib.get_close_matches(name, roster, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UnknownAgent(f"agents: {name!r} is not one of {', '.join(roster)}{hint}", name=name)
    if not wanted or len(set(wanted)) != len(wanted):
        raise UnknownAgent(f"agents: {names!r} names nobody, or somebody twice")
    return tuple(roster[name] for name in sorted(wanted))
