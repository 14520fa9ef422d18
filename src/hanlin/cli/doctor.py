"""`hanlin doctor`: what this machine has, what is missing, and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from hanlin.cli._command import Common, parse, show

__all__ = ["main"]


@dataclass(frozen=True, kw_only=True)
class Arguments(Common):
    """Say what this machine has, what is missing, and what to do about it."""


def main(arguments: Sequence[str]) -> int:
    """Run the verb."""
    options = parse(Arguments, "doctor", arguments, example="hanlin doctor --json")
    from hanlin.planning import describe_machine, doctor_checks

    machine, checks = describe_machine(), doctor_checks()
    lines = []
    for check in checks:
        mark = "ok  " if check.ok else "LOOK"
        lines.append(f"{mark}  {check.name:<22} {check.found}")
        if not check.ok:
            lines.append(f"      {check.advice}")
    result = {"machine": machine, "checks": [asdict(check) for check in checks]}
    show(options, result, "\n".join(lines))
    return 0
