"""What a run has met: how many queries were valid and gave rows, which features they used, what was not supported."""
import collections

from .tree import features


class Report:
    def __init__(self):
        self.queries = self.valid = self.with_rows = self.errors = self.large = self.compared = 0
        self.invalid_causes, self.unsupported_causes = collections.Counter(), collections.Counter()
        self.example = {}
        self.departures, self.features = collections.Counter(), collections.Counter()
        self.not_supported = self.unfinished = 0
        self.slowest = []  # (seconds, seed, statement) of weir

    def slow(self, seed, seconds, said):
        self.slowest = sorted([*self.slowest, (seconds, seed, said[:200])], reverse=True)[:5]

    def invalid(self, query, error):
        self.queries += 1
        cause = f"{error.sqlstate}: {error.message}"[:90]
        self.invalid_causes[cause] += 1
        self.example.setdefault(cause, query.sql("pg"))

    def unsupported(self, query, error):
        self.queries += 1
        self.not_supported += 1
        cause = f"{error.message}"[:110]
        self.unsupported_causes[cause] += 1
        self.example.setdefault(cause, query.sql("weir"))

    def too_large(self, _query):
        self.large += 1

    def same_error(self, _query):
        self.errors += 1

    def departure(self, name, query, detail=""):
        self.departures[name] += 1
        self.example.setdefault(f"departure {name}", f"{query.sql('weir')}\n      {detail}")

    def done(self, query, theirs):
        self.queries += 1
        self.valid += theirs.error is None
        self.with_rows += bool(theirs.rows)
        for feature in features(query.node):
            self.features[feature] += 1

    def add(self, other):
        for name in ("queries", "valid", "with_rows", "errors", "large", "compared", "not_supported", "unfinished"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("invalid_causes", "unsupported_causes", "departures", "features"):
            getattr(self, name).update(getattr(other, name))
        self.slowest = sorted(self.slowest + other.slowest, reverse=True)[:5]
        self.example.update({k: v for k, v in other.example.items() if k not in self.example})

    def print_coverage(self, probed, verbose):
        """How many queries had each feature, so that one that is never drawn is seen."""
        families = {}
        for name in sorted(probed.structure):
            family, _, form = name.partition(".")
            families.setdefault(family, []).append(f"{form or family} {self.features[name]}")
        productions = sorted((self.features[p.feature], p.feature) for p in probed.productions)
        unused = [name for count, name in productions if not count]
        print(f"features: {len(probed.structure)} of structure, {len(productions)} productions, not supported by weir {len(probed.unsupported)}; "
              f"queries with each:")
        for family, forms in families.items():
            print(f"  {family}: {', '.join(forms)}")
        print(f"  productions: never {len(unused)}{': ' if unused else ''}{'; '.join(unused[:None if verbose else 8])}; least "
              + "; ".join(f"{name} {count}" for count, name in productions[len(unused):][:5]))

    def print(self, probed, verbose):
        def share(n):
            return f"{n} ({100 * n // max(1, self.queries)} %)"
        print(f"queries {self.queries}: valid {share(self.valid)}, with rows {share(self.with_rows)}, not supported "
              f"{share(self.not_supported)}, refused by PostgreSQL {share(sum(self.invalid_causes.values()))}, too large {self.large}; "
              f"{self.compared} answers compared, {self.errors} equal errors"
              + (f"; worlds that did not end {self.unfinished}" if self.unfinished else ""))
        self.print_coverage(probed, verbose)
        for name, count in self.departures.most_common():
            print(f"  departure {name}: {count}")
            if verbose:
                print(f"      {self.example[f'departure {name}'][:1500]}")
        for cause, count in self.unsupported_causes.most_common(12 if verbose else 5):
            print(f"  not supported {count}: {cause}")
            if verbose:
                print(f"      {self.example[cause][:400]}")
        for cause, count in self.invalid_causes.most_common(12 if verbose else 3):
            print(f"  refused by PostgreSQL {count}: {cause}")
            if verbose:
                print(f"      {self.example[cause][:400]}")
        if verbose:
            for name, why in sorted(probed.unsupported.items()):
                print(f"  not in weir: {name}: {why}")
        for seconds, seed, said in self.slowest[:None if verbose else 1]:
            print(f"  slowest {seconds:.1f} s: seed {seed}: {said if verbose else said[:60]}")
        for fault in probed.faults:
            print(f"  fault of the grammar: {fault}")
