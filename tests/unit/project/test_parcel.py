"""What travels to a worker arrives as it was, and nothing of it stays there."""

from __future__ import annotations

from churnguard.project.layout import Layout
from churnguard.project.parcel import Parcel


def test_files_and_folders_arrive_without_what_python_leaves(tmp_path):
    layout = Layout(tmp_path)
    for name in ("features/a.py", "features/__pycache__/a.pyc", "serving/playbook.toml", "x.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name, encoding="utf-8")
    parcel = Parcel.pack(layout, layout.features, layout.playbook, tmp_path / "not there")
    with parcel.unpacked() as there:
        found = {
            file.relative_to(there.root).as_posix(): file.read_text(encoding="utf-8")
            for file in there.root.rglob("*")
            if file.is_file()
        }
    assert found == {name: name for name in ("features/a.py", "serving/playbook.toml")}
    assert not there.root.exists()
