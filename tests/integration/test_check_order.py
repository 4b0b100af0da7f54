"""scripts/check-order: every way to include a header against the order of folders is found."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "scripts/check-order"
TREE = {
    "core/README.md": "    base ← config ← auth, store ← cmd\n",
    "core/base/buf.h": "",
    "core/config/rows.h": '#include "base/buf.h"\n',
    "core/auth/keys.h": '#include "config/rows.h"\n',
    "core/store/store.h": "",
    "plugins/one/one.c": '#include "parts/a.h"\n#include "shared/queue.h"\n',
    "plugins/one/parts/a.h": "",
    "plugins/shared/queue.h": "",
    "plugins/two/parts/b.h": "",
}


@pytest.fixture
def check(tmp_path):
    """check(PATH, LINE): the output of the script for a tree that has this line in this file; "" when it finds nothing."""
    (tmp_path / "scripts").mkdir()
    shutil.copy(SCRIPT, tmp_path / "scripts/check-order")

    def run(changed=None, line=""):
        for path, text in TREE.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text(text + (line if path == changed else ""), encoding="utf-8")
        result = subprocess.run([sys.executable, tmp_path / "scripts/check-order"], capture_output=True, text=True,
                                check=False, timeout=60)
        assert result.returncode == (1 if result.stdout else 0), result.stderr
        return result.stdout

    return run


def test_a_tree_in_order_passes(check):
    assert check() == ""


@pytest.mark.parametrize("file, header, said", [
    ("core/base/buf.h", "config/rows.h", "config is not below base"),
    ("core/auth/keys.h", "store/store.h", "store is not below auth"),
    ("plugins/one/one.c", "base/buf.h", "of core"),
    ("plugins/one/one.c", "../../core/base/buf.h", "of core"),
    ("plugins/one/one.c", "two/parts/b.h", "of two"),
    ("plugins/one/one.c", "../two/parts/b.h", "of two"),
    ("plugins/one/parts/a.h", "../../two/parts/b.h", "of two"),
])
def test_an_include_against_the_order_is_named(check, file, header, said):
    assert check(file, f'#include "{header}"\n').startswith(f'{file}: includes "{header}"')
    assert said in check(file, f'#include "{header}"\n')
