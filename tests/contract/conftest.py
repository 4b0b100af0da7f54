import pytest
from contract import cases, rig


def pytest_addoption(parser):
    parser.addoption("--group", action="append", help="only the cases of this group")


def pytest_terminal_summary(terminalreporter):
    """Prints how many cases each operation had."""
    counts = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, []):
            operation = dict(report.user_properties).get("operation")
            if operation:
                counts.setdefault(operation, []).append(outcome)
    if counts:
        terminalreporter.write_line("")
        for operation, outcomes in sorted(counts.items()):
            failed = outcomes.count("failed")
            failed = f", {failed} failed" if failed else ""
            terminalreporter.write_line(f"{operation:40} {len(outcomes):5} cases{failed}")
        terminalreporter.write_line(f"{len(counts)} operations")


@pytest.fixture(scope="session")
def gateways(tmp_path_factory):
    """gateways(group) returns the running gateway of a group. It is started at the first call, which stops the gateway of
    the group before."""
    running = {}

    def of(group):
        if group not in running:
            while running:
                running.popitem()[1].__exit__(None, None, None)
            running[group] = rig.Gateway(tmp_path_factory.mktemp(group), [group])
            running[group].__enter__()
        return running[group]

    yield of
    while running:
        running.popitem()[1].__exit__(None, None, None)
