"""Several gateways that differ only in their directories."""

import contextlib
import copy

from support.gateway import Gateway


@contextlib.contextmanager
def several(tmp_path):
    """Yields begin(count, config, plugins, start=True), which returns so many new gateways; all are stopped at the end."""
    made = []

    def begin(count, config, plugins, start=True):
        new = []
        for _ in range(count):
            home = tmp_path / f"gateway{len(made)}"
            gateway = Gateway(home, {**copy.deepcopy(config), "state_directory": str(home / "state")}, copy.deepcopy(plugins))
            home.mkdir()
            made.append(gateway)
            new.append(gateway.start() if start else gateway)
        return new

    yield begin
    for gateway in made:
        gateway.stop()
