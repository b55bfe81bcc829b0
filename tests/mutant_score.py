"""Print how many of mutmut's mutants the tests noticed, by module; fail below 90 % (`make mutants`)."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from mutmut.stats import status_by_exit_code

ROOT = Path(__file__).resolve().parents[1]
LEAST_SHARE = 0.9
# A mutant that runs forever is noticed too.
NOTICED = ("killed", "timeout", "segfault")


def count(folder: Path) -> dict[str, Counter[str]]:
    """Return the number of mutants by module and state, from the files that mutmut wrote."""
    found = {}
    for path in sorted(folder.rglob("*.py.meta")):
        results = json.loads(path.read_text("utf-8"))["exit_code_by_key"].values()
        if results:
            found[path.relative_to(folder).as_posix().removesuffix(".meta")] = Counter(
                status_by_exit_code[each] for each in results
            )
    return found


def main() -> int:
    """Print a line for each module, and return 1 if too few mutants were noticed."""
    modules = count(ROOT / "mutants")
    all_noticed = all_made = 0
    for name, states in modules.items():
        noticed, made = sum(states[each] for each in NOTICED), states.total()
        all_noticed, all_made = all_noticed + noticed, all_made + made
        rest = ", ".join(f"{states[each]} {each}" for each in sorted(states) if each not in NOTICED)
        print(f"{noticed:5} of {made:4} {noticed / made:6.1%}  {name}{f' ({rest})' if rest else ''}")
    if not all_made:
        print("no mutants: run `make mutants`", file=sys.stderr)
        return 1
    share = all_noticed / all_made
    print(f"{all_noticed:5} of {all_made:4} {share:6.1%}  together (at least {LEAST_SHARE:.0%})")
    return 0 if share >= LEAST_SHARE else 1


if __name__ == "__main__":
    raise SystemExit(main())
