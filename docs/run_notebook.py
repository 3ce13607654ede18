"""Run docs/notebook.py cell by cell and write docs/notebook.ipynb with what the cells answered.

With --check, run it but write nothing; say whether the notebook has the script's cells and answers
where they answer. Figures may differ: a better model need not wait for its notebook. The script is
the source: it is read and reviewed as any other, and no notebook server is needed to run it.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent
SOURCE, NOTEBOOK = DOCS / "notebook.py", DOCS / "notebook.ipynb"

Cell = dict[str, Any]


def cells(text: str) -> Iterator[tuple[str, str]]:
    """Yield kind ("markdown" or "code") and source of each cell of a script in percent format."""
    for part in re.split(r"^# %%", text, flags=re.MULTILINE)[1:]:
        head, _, body = part.partition("\n")
        if "[markdown]" in head:
            body = re.sub(r"^# ?", "", body, flags=re.MULTILINE)
            yield "markdown", body.strip()
        else:
            yield "code", body.strip()


def run(source: str, names: dict[str, Any]) -> str | None:
    """Run a cell; return what its last expression shows, None where it is none."""
    tree = ast.parse(source)
    last = tree.body[-1]
    if not isinstance(last, ast.Expr):
        exec(compile(tree, "notebook", "exec"), names)  # noqa: S102 (our own page)
        return None
    tree.body.pop()
    exec(compile(tree, "notebook", "exec"), names)  # noqa: S102 (our own page)
    value = eval(compile(ast.Expression(last.value), "notebook", "eval"), names)  # noqa: S307
    return None if value is None else repr(value)


def notebook() -> dict[str, Any]:
    """Return the executed notebook, as nbformat 4.5 has it."""
    names: dict[str, Any] = {"__name__": "notebook"}
    found: list[Cell] = []
    count = 0
    for kind, source in cells(SOURCE.read_text(encoding="utf-8")):
        cell: Cell = {"cell_type": kind, "id": f"cell-{len(found)}", "metadata": {}}
        cell["source"] = source.splitlines(keepends=True)
        if kind == "code":
            count += 1
            shown = run(source, names)
            cell["execution_count"] = count
            cell["outputs"] = [] if shown is None else [_output(shown, count)]
        found.append(cell)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def _output(shown: str, count: int) -> Cell:
    return {
        "data": {"text/plain": shown.splitlines(keepends=True)},
        "execution_count": count,
        "metadata": {},
        "output_type": "execute_result",
    }


def outline(found: dict[str, Any]) -> list[tuple[str, str, bool]]:
    """Return kind, source, and whether it answers, of each cell."""
    return [
        (cell["cell_type"], "".join(cell["source"]), bool(cell.get("outputs")))
        for cell in found["cells"]
    ]


def main() -> int:
    """Write the notebook, or check it."""
    made = notebook()
    if "--check" not in sys.argv:
        text = json.dumps(made, indent=1, ensure_ascii=False) + "\n"
        NOTEBOOK.write_text(text, encoding="utf-8")
        return 0
    if outline(made) == outline(json.loads(NOTEBOOK.read_text(encoding="utf-8"))):
        return 0
    print("docs/notebook.ipynb is not current; run docs/run_notebook.py", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
