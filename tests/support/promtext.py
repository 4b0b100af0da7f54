"""A strict reader of the Prometheus text format, for tests.

    metrics = parse(text)
    metrics["greenroom_requests_total", "operation", "rooms.get", "status", "200"]

Labels can be given in any order; the result is the sum over the labels that are not given. A text that a Prometheus server would refuse, or that its linter
would complain about, fails.
"""

import collections
import re

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
SAMPLE = re.compile(rf"({NAME})(?:\{{(.*)\}})? (\S+)")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)')
TYPES = ("counter", "gauge", "histogram", "summary", "untyped")


class Metrics(dict):
    """(name, frozenset of label pairs) → value."""

    def __getitem__(self, wanted):
        wanted = (wanted,) if isinstance(wanted, str) else wanted
        labels = set(zip(wanted[1::2], wanted[2::2]))
        return sum(value for (name, has), value in self.items() if name == wanted[0] and labels <= has)

    def labels(self, name, label):
        """The values of one label of a metric."""
        return {value for (metric, has) in self for key, value in has if metric == name and key == label}


def _labels(text, line):
    labels, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        assert match, f"bad labels: {line}"
        labels.append((match.group(1), re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], match.group(2))))
        at = match.end()
    names = [name for name, _ in labels]
    assert len(names) == len(set(names)), f"a label twice: {line}"
    return frozenset(labels)


def _family(name, types):
    """The metric that a sample belongs to."""
    if name in types:
        return name
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    assert types.get(base) == "histogram", f"{name} has no TYPE"
    return base


def _check_histogram(name, metrics):
    series = collections.defaultdict(list)
    for (sample, labels), value in metrics.items():
        if sample == f"{name}_bucket":
            bound = dict(labels)["le"]
            rest = frozenset(pair for pair in labels if pair[0] != "le")
            series[rest].append((float(bound), value))
    for rest, buckets in series.items():
        counts = [value for _, value in buckets]
        bounds = [bound for bound, _ in buckets]
        assert bounds == sorted(bounds) and bounds[-1] == float("inf"), f"{name}: {bounds}"
        assert counts == sorted(counts), f"{name} {rest}: not cumulative"
        assert dict.__getitem__(metrics, (f"{name}_count", rest)) == counts[-1]
        assert dict.__getitem__(metrics, (f"{name}_sum", rest)) >= 0


def parse(text):
    assert text.endswith("\n"), "the last line has no end"
    types, helps, metrics, family, done = {}, set(), Metrics(), None, set()
    for line in text[:-1].split("\n"):
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            assert kind in ("HELP", "TYPE") and re.fullmatch(NAME, name) and rest.strip(), line
            assert name not in done, f"{name}: its lines are not together"
            if family and family != name:
                done.add(family)
            family = name
            if kind == "HELP":
                assert name not in helps, f"HELP twice: {name}"
                helps.add(name)
            else:
                assert name not in types and rest in TYPES, line
                assert rest != "counter" or name.endswith("_total"), f"a counter ends in _total: {name}"
                types[name] = rest
            continue
        match = SAMPLE.fullmatch(line)
        assert match, f"not a sample: {line!r}"
        name, labels = match.group(1), _labels(match.group(2) or "", line)
        assert _family(name, types) == family, f"{name} stands under {family}"
        assert name.startswith(("greenroom_", "process_")), name
        assert (name, labels) not in metrics, f"twice: {line}"
        dict.__setitem__(metrics, (name, labels), float(match.group(3)))
    assert helps == set(types)
    for name, kind in types.items():
        if kind == "histogram":
            _check_histogram(name, metrics)
    return metrics
